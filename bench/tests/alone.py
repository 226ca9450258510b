"""Booking by itself on a Postgres of its own, both to be ended by force and started again.

It knows keys and prices by the copies that it keeps of them, so none of its neighbours has to run.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy.engine import make_url

from bench.tokens import Shipper, Token
from chassis.canonical import checksum
from chassis.config_cache import ConfigCache, ConfigValue, Kept
from chassis.embedded import EmbeddedPostgres
from chassis.migrations import upgrade
from chassis.provisioning import provision, roles_of
from chassis.testing.issuer import Issuer
from contracts.booking import Material
from ops.child import Child, Command, launcher
from ops.environment import base_environment
from ops.http_probe import fetch
from ops.ports import allot

SERVICE = "booking"
PASSWORD = "crash"
SHIPPERS = 20
PATIENCE = 60.0
PRICING = {
    "base_rate": 250.5,
    "distance_rate": 5.75,
    "material_rates": {material.value: 1.2 for material in Material},
}


class Booking:
    """One api process of booking, with a state folder of its own; its port outlives it."""

    def __init__(self, folder: Path, database_url: str) -> None:
        folder.mkdir()
        ports = allot(["api", "health"], folder / "ports.json")
        self.port = ports["api"]
        self._health_port = ports["health"]
        self._folder = folder
        self._log = folder / "log.txt"
        self._database_url = database_url
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        command = Command(
            argv=[sys.executable, "-m", SERVICE, "api"], env=self._environment(), log=self._log
        )
        self._child = await launcher(command)()
        await self.await_ready()

    async def await_ready(self) -> None:
        """Wait until it says that it is ready."""
        async with asyncio.timeout(PATIENCE):
            while not await fetch(self._health_port, "/readyz"):
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it as the kernel does, in the middle of whatever it is doing."""
        if self._child is not None:
            child, self._child = self._child, None
            child.signal(signal.SIGKILL)
            await child.wait()

    @property
    def log(self) -> str:
        """What it has printed, in all its lives."""
        return self._log.read_text()

    def _environment(self) -> dict[str, str]:
        nobody = f"http://127.0.0.1:{self._health_port}/nothing"
        settings = {
            "DATABASE_URL": self._database_url,
            "PORT": str(self.port),
            "HEALTH_PORT": str(self._health_port),
            "STATE_DIR": str(self._folder),
            "JWKS_URL": nobody,
            "TOKEN_URL": nobody,
            "CONFIG_URL": nobody,
            "LOG_FORMAT": "json",
        }
        return base_environment() | {f"UBERTRUCK_{name}": value for name, value in settings.items()}


@asynccontextmanager
async def booking(folder: Path, database_url: str, issuer: Issuer) -> AsyncGenerator[Booking]:
    """A running process that believes this issuer; gone at the end."""
    found = Booking(folder, database_url)
    (folder / "jwks.json").write_text(json.dumps(issuer.jwks))
    ConfigCache(folder, service=SERVICE, environment="dev").save(_prices())
    try:
        await found.start()
        yield found
    finally:
        await found.kill()


async def make_database(server: EmbeddedPostgres) -> str:
    """Booking's database on this server, migrated; the URL of the runtime role."""
    superuser = server.superuser_url()
    await provision(superuser, SERVICE, migrator_password=PASSWORD, runtime_password=PASSWORD)
    roles = roles_of(SERVICE)
    await upgrade(SERVICE, _url(superuser, roles.migrator))
    return _url(superuser, roles.runtime)


def tokens_of(issuer: Issuer) -> Sequence[Token]:
    """One token each for some shippers of different tenants."""
    return [_token(issuer, Shipper(subject=uuid4(), tenant_id=uuid4())) for _ in range(SHIPPERS)]


def _token(issuer: Issuer, shipper: Shipper) -> Token:
    text = issuer.token(
        subject=shipper.subject,
        tenant_id=shipper.tenant_id,
        permissions=("booking:*",),
        lifetime=3600,
    )
    return Token(shipper=shipper, text=text)


def _url(superuser: str, role: str) -> str:
    url = make_url(superuser).set(
        drivername="postgresql+asyncpg", database=SERVICE, username=role, password=PASSWORD
    )
    return url.render_as_string(hide_password=False)


def _prices() -> Kept:
    now = datetime.now(UTC)
    value = ConfigValue(data=PRICING, version=1, checksum=checksum(PRICING), last_modified=now)
    return Kept(
        service=SERVICE, environment="dev", path="pricing", etag=None, confirmed_at=now, value=value
    )
