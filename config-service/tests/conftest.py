from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from chassis.app import Runtime
from chassis.db import Database
from chassis.settings import ServiceSettings
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer
from config_service.app import create_app

from .factories import Person

NewClient = Callable[[Database], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def service_name() -> str:
    return "config"


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def app(issuer: Issuer) -> FastAPI:
    """Made once: FastAPI takes longer to prepare its routes than most tests take."""
    url = "postgresql+asyncpg://nobody@localhost/none"
    settings = ServiceSettings.model_validate({"database_url": url})
    return create_app(settings, Database.connect(url, name="test"), keys=issuer)


@pytest.fixture
def new_client(app: FastAPI) -> NewClient:
    @asynccontextmanager
    async def enter(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
        runtime: Runtime = app.state.runtime
        app.state.runtime = replace(runtime, database=database)
        async with client_for(app) as client:
            yield client

    return enter


@pytest.fixture
async def committing(database: TestDatabase) -> AsyncGenerator[Database]:
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


@pytest.fixture
async def client(
    new_client: NewClient, rollback_database: Database
) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(rollback_database) as client:
        yield client


@pytest.fixture
def author(client: httpx.AsyncClient, issuer: Issuer) -> Person:
    return Person(client, issuer)


@pytest.fixture
def approver(client: httpx.AsyncClient, issuer: Issuer) -> Person:
    return Person(client, issuer)
