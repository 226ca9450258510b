from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from hypothesis import settings

from booking.app import create_app
from booking.settings import BookingSettings
from chassis.db import Database
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .factories import SHIPPER, Caller, FakeSource
from .fleets import FLEET

# How fast an example runs says nothing on a machine that does other things too.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

NewClient = Callable[[Database], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def service_name() -> str:
    return "booking"


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def new_client(issuer: Issuer, source: FakeSource) -> NewClient:
    @asynccontextmanager
    async def enter(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
        settings = BookingSettings.model_validate(
            {"database_url": "postgresql+asyncpg://nobody@127.0.0.1/unused"}
        )
        app = create_app(settings, database, source=source, keys=issuer)
        async with client_for(app) as client:
            yield client

    return enter


@pytest.fixture
async def committing(database: TestDatabase) -> AsyncGenerator[Database]:
    """A database of the test's own, in which transactions really commit."""
    connected = Database.connect(database.url, name="booking")
    yield connected
    await connected.dispose()


@pytest.fixture
async def client(
    new_client: NewClient, rollback_database: Database
) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(rollback_database) as client:
        yield client


@pytest.fixture
def shipper(client: httpx.AsyncClient, issuer: Issuer) -> Caller:
    return Caller(client, issuer, *SHIPPER)


@pytest.fixture
def fleet(client: httpx.AsyncClient, issuer: Issuer) -> Caller:
    """The owner of a fleet."""
    return Caller(client, issuer, *FLEET)
