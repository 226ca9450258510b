"""The client that services use, against the service itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from chassis.config_client import ConfigClient
from chassis.db import Database
from chassis.testing.issuer import Issuer
from config_service.models import ConfigurationAudit

from .conftest import NewClient
from .factories import DEV, Person


class CountingTransport(httpx.AsyncBaseTransport):
    """The application in this process; counts the answers by their status."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.answers: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._client.get(request.url.raw_path.decode(), headers=request.headers)
        self.answers.append(answer.status_code)
        return answer


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    # The reader asks while others write, so one connection for all won't do.
    async with new_client(committing) as client:
        yield client


@pytest.fixture
def transport(client: httpx.AsyncClient) -> CountingTransport:
    return CountingTransport(client)


@pytest.fixture
async def reader(
    author: Person, transport: CountingTransport, issuer: Issuer, tmp_path: Path
) -> AsyncGenerator[ConfigClient]:
    await author.put(DEV, {"tons": 20})

    async def token() -> str:
        return issuer.token(roles=["service"], permissions=["config:read:all"])

    client = ConfigClient(
        "http://test",
        service=DEV.service,
        environment=DEV.environment,
        token=token,
        cache_dir=tmp_path,
        refresh_seconds=0.01,
        transport=transport,
    )
    async with client.running(DEV.path):
        yield client


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_service_follows_its_configuration(
    reader: ConfigClient, author: Person, transport: CountingTransport
) -> None:
    assert reader.get(DEV.path).data == {"tons": 20}
    await until(lambda: transport.answers[-2:] == [304, 304])
    await author.put(DEV, {"tons": 21})
    await until(lambda: reader.get(DEV.path).version == 2)
    written = (await author.get(DEV)).json()
    value = reader.get(DEV.path)
    assert (value.data, value.checksum) == (written["data"], written["checksum"])
    assert value.last_modified.isoformat().replace("+00:00", "Z") == written["last_modified"]


async def test_only_what_was_sent_is_in_the_audit(
    reader: ConfigClient, transport: CountingTransport, committing: Database
) -> None:
    await until(lambda: len(transport.answers) >= 5)
    await reader.stop()
    assert transport.answers.count(200) == 1
    statement = select(func.count()).where(ConfigurationAudit.action == "ACCESS")
    async with committing.begin() as session:
        assert await session.scalar(statement) == 1
