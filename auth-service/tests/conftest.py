from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from auth_service.vault import new_master_key
from chassis.db import Database
from chassis.testing.client import client_for
from chassis.testing.databases import TestDatabase
from chassis.tokens import Signer

from .world import Clock, World, add_signing_key, cheap_settings


@pytest.fixture(scope="session")
def service_name() -> str:
    return "auth"


@pytest.fixture(scope="session", autouse=True)
def signers_built_once() -> Iterator[None]:
    """Every test starts the service anew with the same key, and building its signer is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("auth_service.keys.Signer", cache(Signer))
        yield


@pytest.fixture(scope="session")
def master_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secrets") / "master-key"
    path.touch(mode=0o600)
    path.write_text(new_master_key())
    return path


@pytest.fixture
def settings(master_key_file: Path) -> AuthSettings:
    return cheap_settings(master_key_file)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(
    rollback_database: Database, settings: AuthSettings, clock: Clock
) -> AsyncGenerator[World]:
    """The service over a transaction that is rolled back."""
    async with _opened(rollback_database, settings, clock) as world:
        yield world


@pytest.fixture
async def committed(
    database: TestDatabase, settings: AuthSettings, clock: Clock
) -> AsyncGenerator[World]:
    """The service over a database of the test's own, for what happens at once."""
    own = Database.connect(database.url, name="test")
    async with _opened(own, settings, clock) as world:
        yield world


@asynccontextmanager
async def _opened(
    database: Database, settings: AuthSettings, clock: Clock
) -> AsyncGenerator[World]:
    app = create_app(settings, database, clock=clock)
    async with client_for(app) as http:
        realm = app.state.realm
        await add_signing_key(realm)
        yield World(http=http, realm=realm, clock=clock)
