"""Fixtures: databases for tests.

A service's conftest says who it is:

    @pytest.fixture(scope="session")
    def service_name() -> str:
        return "booking"

Then `session` is for tests of one transaction, rolled back at the end, and `rollback_database` puts
an app under test into that same transaction. One transaction means one connection and one `now()`:
whatever runs at once, must really commit, or dies half-way takes `database`, a copy of its own.

The server is `UBERTRUCK_TEST_DATABASE_URL` (a superuser's), or a container if
`UBERTRUCK_TEST_POSTGRES=container`, or else an embedded one.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    create_async_engine,
)

from chassis.db import Database
from chassis.embedded import EmbeddedPostgres
from chassis.testing.databases import (
    Recipe,
    SharedDatabases,
    TestDatabase,
    TestServer,
    alembic_recipe,
)
from chassis.testing.plugin import find_superuser_url
from chassis.testing.servers import make_folder, temporary_postgres


@pytest.fixture(scope="session")
def superuser_url(pytestconfig: pytest.Config) -> str:
    """`postgresql://…` of a superuser of the server that the tests share."""
    return find_superuser_url(pytestconfig)


@pytest.fixture(scope="session")
def test_server(superuser_url: str) -> Iterator[TestServer]:
    """Makes databases on that server."""
    server = TestServer(superuser_url)
    yield server
    server.close()


@pytest.fixture(scope="session")
def service_name() -> str:
    """Whose database the tests use: a service's conftest overrides it."""
    pytest.fail("This member has no database: override the fixture service_name in its conftest.")


@lru_cache
def engine_of(url: str) -> AsyncEngine:
    """One engine a database, so that statements are compiled once; it pools no connection."""
    return create_async_engine(url, poolclass=NullPool)


# What depends on `service_name` is made anew for each test: pytest would keep the first service's
# for the whole session. What is slow to make is kept by `test_server` and `shared_databases`.


@pytest.fixture
def recipe(service_name: str) -> Recipe:
    """How the service's database is made."""
    return alembic_recipe(service_name)


@pytest.fixture
def template(test_server: TestServer, recipe: Recipe) -> str:
    """The name of the migrated database that others are copied from."""
    return test_server.ensure_template(recipe)


@pytest.fixture
def database(test_server: TestServer, template: str, recipe: Recipe) -> Iterator[TestDatabase]:
    """A fresh, migrated database of this test's own."""
    with test_server.cloned(template, recipe.service) as cloned:
        yield cloned


@pytest.fixture(scope="session")
def shared_databases(test_server: TestServer) -> Iterator[SharedDatabases]:
    """One database a service, for this worker's whole session."""
    with SharedDatabases(test_server) as databases:
        yield databases


@pytest.fixture
def shared_database(shared_databases: SharedDatabases, recipe: Recipe) -> TestDatabase:
    """This worker's database, in which nothing ever commits."""
    return shared_databases.of(recipe)


@pytest.fixture
async def rollback_connection(shared_database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    """A connection of the runtime role in a transaction that is rolled back after the test."""
    async with engine_of(shared_database.url).connect() as connection:
        await connection.begin()
        yield connection
        await connection.rollback()


@pytest.fixture
def rollback_database(rollback_connection: AsyncConnection) -> Database:
    """The database for an app under test: what it commits, the test sees and then rolls back."""
    return Database.on_connection(rollback_connection)


@pytest.fixture
async def session(rollback_connection: AsyncConnection) -> AsyncIterator[AsyncSession]:
    """A session in the transaction that is rolled back after the test."""
    async with AsyncSession(
        rollback_connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
    ) as session:
        yield session


@pytest.fixture(scope="session")
def pristine_cluster() -> Iterator[Path]:
    """A data folder as just made, to be copied."""
    folder = make_folder()
    temporary_postgres(folder / "pristine").initialise()
    yield folder / "pristine"
    shutil.rmtree(folder)


@pytest.fixture
def postgres_server(pristine_cluster: Path) -> Iterator[EmbeddedPostgres]:
    """A running server of this test's own, to be stopped and started. It keeps its port."""
    folder = make_folder()
    shutil.copytree(pristine_cluster, folder / "data")
    server = temporary_postgres(folder / "data")
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)
