"""A real process over real sockets: start, drain, refuse to start, survive its database."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from chassis.db import Database
from chassis.embedded import EmbeddedPostgres
from chassis.testing.databases import TestDatabase

SAMPLE = Path(__file__).with_name("sample.py")


@dataclass
class Running:
    process: asyncio.subprocess.Process
    url: str
    health: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def running(kind: str, database_url: str, **environment: str) -> AsyncGenerator[Running]:
    port, health_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SAMPLE),
        kind,
        env={
            "UBERTRUCK_DATABASE_URL": database_url,
            "UBERTRUCK_PORT": str(port),
            "UBERTRUCK_HEALTH_PORT": str(health_port),
            **{k: v for k, v in os.environ.items() if k.startswith("COVERAGE_")},
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Running(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{health_port}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_ready(client: httpx.AsyncClient, service: Running, status: int = 200) -> None:
    async with asyncio.timeout(20):
        while await readiness(client, service) != status:
            await asyncio.sleep(0.02)


async def readiness(client: httpx.AsyncClient, service: Running) -> int | None:
    try:
        return (await client.get(f"{service.health}/readyz")).status_code
    except httpx.TransportError:
        return None


async def ended(service: Running) -> tuple[int | None, str]:
    async with asyncio.timeout(20):
        _, stderr = await service.process.communicate()
    return service.process.returncode, stderr.decode()


async def execute(url: str, statement: str) -> None:
    database = Database.connect(url, name="test")
    async with database.begin() as session:
        await session.execute(text(statement))
    await database.dispose()


async def test_sigterm_drains(database: TestDatabase) -> None:
    async with httpx.AsyncClient() as client, running("api", database.url) as service:
        await until_ready(client, service)
        slow = asyncio.create_task(client.get(f"{service.url}/slow?seconds=1.5"))
        metric = "worker_job_failures_total"
        assert metric in (await client.get(f"{service.health}/metrics")).text
        await asyncio.sleep(0.2)
        service.process.send_signal(signal.SIGTERM)
        await until_ready(client, service, 503)
        assert (await slow).json() == {"done": True}
        assert await ended(service) == (0, "")


async def test_the_worker_works_and_stops(database: TestDatabase) -> None:
    async with httpx.AsyncClient() as client, running("worker", database.url) as service:
        await until_ready(client, service)
        async with asyncio.timeout(10):
            while 'job="ping"' not in (await client.get(f"{service.health}/metrics")).text:
                await asyncio.sleep(0.02)
        service.process.send_signal(signal.SIGINT)
        assert await ended(service) == (0, "")


async def test_a_database_that_left_this_code_behind(database: TestDatabase) -> None:
    await execute(
        database.superuser_url, "UPDATE schema_revision SET current = 3, minimum_code = 3"
    )
    async with running("api", database.url) as service:
        status, said = await ended(service)
    assert status == 78
    assert said == "The database serves code of revision 3 and newer; this is revision 1.\n"


async def test_a_port_in_use_is_one_sentence(database: TestDatabase) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with running("api", database.url, UBERTRUCK_PORT=port) as service:
            status, said = await ended(service)
    assert status == 1
    assert said == f"Can't listen on 127.0.0.1:{port}: Address already in use.\n"


@pytest.mark.parametrize(
    ("name", "value"), [("UBERTRUCK_PORT", "eighty"), ("UBERTRUCK_ENVIRONMENT", "moon")]
)
async def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    async with running("api", "postgresql+asyncpg://x/y", **{name: value}) as service:
        status, said = await ended(service)
    assert status == 78
    assert said.startswith(f"The environment is not complete. {name}: ")
    assert "Traceback" not in said


async def test_openapi_needs_no_environment() -> None:
    async with running("openapi", "") as service:
        stdout, _ = await service.process.communicate()
    assert b'"/slow"' in stdout
    assert service.process.returncode == 0


async def test_postgres_may_stop_and_come_back(postgres_server: EmbeddedPostgres) -> None:
    superuser = make_url(postgres_server.superuser_url())
    url = superuser.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    await execute(url, "CREATE TABLE schema_revision AS SELECT 1 current, 1 minimum_code")
    await asyncio.to_thread(postgres_server.stop)
    async with httpx.AsyncClient() as client, running("api", url) as service:
        # It waits for its database, alive but not ready.
        await until_ready(client, service, 503)
        await asyncio.to_thread(postgres_server.start)
        await until_ready(client, service)
        assert (await client.get(f"{service.url}/database")).json() == {"answer": 42}
        await asyncio.to_thread(postgres_server.stop)
        refused = await client.get(f"{service.url}/database")
        assert refused.status_code == 503
        assert refused.json()["type"].endswith("/database-unavailable")
        assert await readiness(client, service) == 503
        await asyncio.to_thread(postgres_server.start)
        await until_ready(client, service)
        assert (await client.get(f"{service.url}/database")).json() == {"answer": 42}
        service.process.send_signal(signal.SIGTERM)
        assert await ended(service) == (0, "")


async def test_a_user_that_the_database_refuses_is_one_sentence(database: TestDatabase) -> None:
    wrong = make_url(database.url).set(username="nobody")
    async with running("api", wrong.render_as_string(hide_password=False)) as service:
        status, said = await ended(service)
    assert status == 78
    assert said == "The database refuses the user or the password of UBERTRUCK_DATABASE_URL.\n"


async def test_a_migrator_without_a_database_is_one_sentence() -> None:
    async with running("migrate", "postgresql+asyncpg://a:b@127.0.0.1:1/c") as service:
        assert await ended(service) == (1, "The database can't be reached.\n")
