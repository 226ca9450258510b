from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.provisioning import administrate
from chassis.schema_v2 import NEVER_SEARCHED
from chassis.testing.databases import TestDatabase

DAY = "to_char((now() AT TIME ZONE 'utc')::date + 5, 'YYYYMMDD')"


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    async with administrate(database.url) as connection:
        yield connection


@pytest.fixture
async def migrator(database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    async with administrate(database.migrator_url) as connection:
        yield connection


async def left_out(connection: AsyncConnection, table: str) -> set[tuple[str, str]]:
    """The columns that ANALYZE passes over, in each partition."""
    found = await connection.exec_driver_sql(
        "SELECT inhrelid::regclass::text AS part, attname FROM pg_inherits"
        " JOIN pg_attribute ON attrelid = inhrelid"
        " WHERE inhparent = $1::text::regclass AND attstattarget = 0",
        (table,),
    )
    return {(row.part, row.attname) for row in found}


@pytest.mark.parametrize("table", NEVER_SEARCHED)
async def test_present_and_new_days_keep_lean_statistics(
    runtime: AsyncConnection, migrator: AsyncConnection, table: str
) -> None:
    before = await left_out(runtime, table)
    assert {column for _, column in before} == set(NEVER_SEARCHED[table])
    day = (await migrator.exec_driver_sql(f"SELECT '{table}_' || {DAY}")).scalar_one()
    assert {(day, column) for column in NEVER_SEARCHED[table]} < before
    await migrator.exec_driver_sql(f"DROP TABLE {day}")
    await runtime.exec_driver_sql("SELECT maintain_partitions($1)", (table,))
    assert await left_out(runtime, table) == before


async def test_the_runtime_role_may_not_change_partitions_itself(
    database: TestDatabase,
) -> None:
    async with administrate(database.superuser_url) as connection:
        found = await connection.exec_driver_sql(
            "SELECT proacl::text FROM pg_proc WHERE proname = 'change_partitions'"
        )
        assert found.scalar_one() == "{chassis_migrator=X/chassis_migrator}"
