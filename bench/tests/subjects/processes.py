"""The subjects as processes, with what they'd hear of other services already on their disk."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from chassis.canonical import checksum
from chassis.config_cache import ConfigCache, ConfigValue, Kept
from chassis.testing.issuer import Issuer
from ops.http_probe import answers_ok
from ops.ports import LOOPBACK, allot

from .factories import PRICING

NOWHERE = f"http://{LOOPBACK}:1"


def fill(folder: Path, issuer: Issuer) -> None:
    """Leave the issuer's keys and `PRICING` where a process looks for its last good ones."""
    (folder / "jwks.json").write_text(json.dumps(issuer.jwks))
    now, data = datetime.now(UTC), dict(PRICING)
    value = ConfigValue(data=data, version=1, checksum=checksum(data), last_modified=now)
    ConfigCache(folder, service="booking", environment="dev").save(
        Kept(
            service="booking",
            environment="dev",
            path="pricing",
            etag=None,
            confirmed_at=now,
            value=value,
        )
    )


@asynccontextmanager
async def serving(module: str, *, database_url: str, folder: Path) -> AsyncGenerator[str]:
    """The address of `python -m MODULE`, ready; it has to end well when it is told to."""
    ports = allot(["api", "health"], folder / "ports.json")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env={
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
            "UBERTRUCK_DATABASE_URL": database_url,
            "UBERTRUCK_STATE_DIR": str(folder),
            "UBERTRUCK_PORT": str(ports["api"]),
            "UBERTRUCK_HEALTH_PORT": str(ports["health"]),
            "UBERTRUCK_JWKS_URL": NOWHERE,
            "UBERTRUCK_TOKEN_URL": NOWHERE,
            "UBERTRUCK_CONFIG_URL": NOWHERE,
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_ready(process, ports["health"])
        yield f"http://{LOOPBACK}:{ports['api']}"
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, health_port: int) -> None:
    ready = answers_ok(health_port, "/readyz")
    async with asyncio.timeout(30):
        while not await ready():
            assert process.returncode is None
            await asyncio.sleep(0.05)
