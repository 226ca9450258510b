"""Booking as processes of its own, to be ended by force."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx

from booking.trips.rules import TRIPS
from chassis.config_cache import ConfigCache, ConfigValue, Kept
from chassis.testing.issuer import Issuer

from .factories import trip_rules

FORKING = Path(__file__).with_name("forking.py")
PATIENCE = 60.0


class Killable:
    """An api process; `client` sends it requests."""

    def __init__(self, pid: int, client: httpx.AsyncClient) -> None:
        self.client = client
        self._pid = pid

    async def kill(self) -> None:
        """End it as the kernel does, in the middle of whatever it is doing, and see it gone."""
        with suppress(ProcessLookupError):
            while True:
                os.kill(self._pid, signal.SIGKILL)
                await asyncio.sleep(0.005)


class Processes:
    """Starts api processes that believe this issuer.

    They know keys and rules by the copies that they keep of them, so no neighbour has to run.
    """

    def __init__(
        self, forking: Process, stack: AsyncExitStack, folder: Path, url: str, issuer: Issuer
    ) -> None:
        self._forking, self._stack = forking, stack
        self._folder, self._url, self._issuer = folder, url, issuer
        self._started = 0

    async def start(self) -> Killable:
        """One more, which is ready."""
        self._started += 1
        folder = self._folder / str(self._started)
        _furnish(folder, self._issuer)
        port, health = _free_port(), _free_port()
        pid = await self._fork(_settings(folder, self._url, port, health))
        address = f"http://127.0.0.1:{port}"
        client = await self._stack.enter_async_context(httpx.AsyncClient(base_url=address))
        started = Killable(pid, client)
        self._stack.push_async_callback(started.kill)
        await _await_ready(client, f"http://127.0.0.1:{health}/readyz")
        return started

    async def _fork(self, settings: dict[str, str]) -> int:
        reader, writer = self._forking.stdout, self._forking.stdin
        assert reader is not None
        assert writer is not None
        writer.write(json.dumps(settings).encode() + b"\n")
        return int(await reader.readline())


@asynccontextmanager
async def api_processes(folder: Path, url: str, issuer: Issuer) -> AsyncGenerator[Processes]:
    """They are all gone at the end; `url` is the database's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UBERTRUCK_")}
    forking = await asyncio.create_subprocess_exec(
        sys.executable, FORKING, env=kept, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with AsyncExitStack() as stack:
            yield Processes(forking, stack, folder, url, issuer)
    finally:
        forking.kill()
        await forking.wait()


async def _await_ready(client: httpx.AsyncClient, address: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(address)).status_code == 200:
                    return
            await asyncio.sleep(0.02)


def _furnish(folder: Path, issuer: Issuer) -> None:
    folder.mkdir()
    (folder / "jwks.json").write_text(json.dumps(issuer.jwks))
    ConfigCache(folder, service="booking", environment="dev").save(_rules())


def _settings(folder: Path, url: str, port: int, health: int) -> dict[str, str]:
    nobody = f"http://127.0.0.1:{health}/nothing"
    settings = {
        "DATABASE_URL": url,
        "PORT": str(port),
        "HEALTH_PORT": str(health),
        "STATE_DIR": str(folder),
        "JWKS_URL": nobody,
        "TOKEN_URL": nobody,
        "CONFIG_URL": nobody,
    }
    return {f"UBERTRUCK_{name}": value for name, value in settings.items()}


def _rules() -> Kept:
    rules, now = trip_rules(), datetime.now(UTC)
    value = ConfigValue(
        data=dict(rules.data), version=rules.version, checksum=rules.checksum, last_modified=now
    )
    return Kept(
        service="booking",
        environment="dev",
        path=TRIPS,
        etag=None,
        confirmed_at=now,
        value=value,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
