from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import httpx
import pytest
from fastapi import FastAPI

from bench.subjects.usual.app import create_app
from booking.settings import BookingSettings
from chassis.db import Database
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .factories import HeldSource, Someone


class NewClient(Protocol):
    """Makes a client of an application over a database, at the same prices for all."""

    def __call__(
        self, create_app: Callable[..., FastAPI], database: TestDatabase, source: HeldSource = ...
    ) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


@pytest.fixture(scope="session")
def service_name() -> str:
    return "booking"


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def shipper(issuer: Issuer) -> Someone:
    return Someone(issuer)


@pytest.fixture
def new_client(issuer: Issuer) -> NewClient:
    @asynccontextmanager
    async def enter(
        create_app: Callable[..., FastAPI],
        database: TestDatabase,
        source: HeldSource = HeldSource(),  # noqa: B008 - it is frozen
    ) -> AsyncGenerator[httpx.AsyncClient]:
        settings = BookingSettings.model_validate({"database_url": database.url})
        own = Database.connect(database.url, name="test")
        app = create_app(settings, own, keys=issuer, source=source)
        async with client_for(app) as client:
            yield client

    return enter


@pytest.fixture
async def client(
    new_client: NewClient, database: TestDatabase
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of row d."""
    async with new_client(create_app, database) as client:
        yield client
