from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.schema import SchemaError, check_serves, schema_problem
from chassis.testing.databases import TestDatabase


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[Database]:
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


async def migrate(database: TestDatabase, statement: str) -> None:
    migrator = Database.connect(database.migrator_url, name="test")
    async with migrator.begin() as session:
        await session.execute(text(statement))
    await migrator.dispose()


async def test_the_same_revision_is_served(runtime: Database) -> None:
    await check_serves(runtime, 1)
    assert await schema_problem(runtime, 1) is None


async def test_newer_code_starts_and_waits(runtime: Database) -> None:
    await check_serves(runtime, 2)
    problem = await schema_problem(runtime, 2)
    assert problem == (
        "migrations have not run: the database is at revision 1, and this code needs 2"
    )


async def test_the_previous_code_works_on(runtime: Database, database: TestDatabase) -> None:
    await migrate(database, "UPDATE schema_revision SET current = 2")
    await check_serves(runtime, 1)
    assert await schema_problem(runtime, 1) is None


async def test_code_left_behind_refuses(runtime: Database, database: TestDatabase) -> None:
    await migrate(database, "UPDATE schema_revision SET current = 3, minimum_code = 3")
    with pytest.raises(SchemaError) as refused:
        await check_serves(runtime, 1)
    assert str(refused.value) == (
        "The database serves code of revision 3 and newer; this is revision 1."
    )


async def test_nothing_migrated_yet(runtime: Database, database: TestDatabase) -> None:
    await migrate(database, "DROP TABLE schema_revision")
    await check_serves(runtime, 1)
    assert await schema_problem(runtime, 1) == "migrations have not run"
