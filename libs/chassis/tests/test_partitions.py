import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.partitions import maintain_partitions
from chassis.testing.databases import TestDatabase


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[Database]:
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


@pytest.fixture
async def migrator(database: TestDatabase) -> AsyncIterator[Database]:
    connected = Database.connect(database.migrator_url, name="test")
    yield connected
    await connected.dispose()


async def days_of(database: Database, parent: str) -> set[str]:
    query = text(
        "SELECT relname FROM pg_partition_tree(CAST(:parent AS text)::regclass) "
        "JOIN pg_class ON oid = relid WHERE relname ~ '[0-9]{8}$'"
    )
    async with database.begin() as session:
        return set(await session.scalars(query, {"parent": parent}))


async def drop(database: Database, tables: set[str]) -> None:
    async with database.begin() as session:
        for name in tables:
            await session.execute(text(f"DROP TABLE {name}"))


async def test_missing_days_are_made_once_also_by_two(
    runtime: Database, migrator: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = await days_of(runtime, "outbox")
    assert len(before) >= 8
    await drop(migrator, before)
    await asyncio.gather(maintain_partitions(runtime), maintain_partitions(runtime))
    assert await days_of(runtime, "outbox") >= before
    assert await maintain_partitions(runtime) is False
    records = [record for record in caplog.records if record.name == "chassis.partitions"]
    assert sum(vars(record)["partitions_created"] for record in records) == len(before)


async def test_trouble_with_one_table_spares_the_others(
    runtime: Database, migrator: Database
) -> None:
    before = await days_of(runtime, "outbox")
    await drop(migrator, before)
    async with migrator.begin() as session:
        await session.execute(
            text("INSERT INTO partitioned_tables (name, keep_days) VALUES ('a_ghost', 1)")
        )
    with pytest.raises(ExceptionGroup) as raised:
        await maintain_partitions(runtime)
    assert len(raised.value.exceptions) == 1
    assert await days_of(runtime, "outbox") >= before
