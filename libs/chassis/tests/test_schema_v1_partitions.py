import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select
from sqlalchemy import table as sql_table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.provisioning import administrate
from chassis.testing.databases import TestDatabase

EVENT = (
    "INSERT INTO outbox (id, type, source, subject, aggregate_version, data, occurred_at,"
    " created_on, published_at) VALUES (gen_random_uuid(), 't', 's', 'x', 1, '{}', now(),"
    " (now() AT TIME ZONE 'utc')::date + $1::int, $2)"
)


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    async with administrate(database.url) as connection:
        yield connection


@pytest.fixture
async def migrator(database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    async with administrate(database.migrator_url) as connection:
        yield connection


async def maintain(
    connection: AsyncConnection, parent: str = "outbox", ahead: int = 7
) -> tuple[int, int, int]:
    found = await connection.exec_driver_sql(
        "SELECT * FROM maintain_partitions($1, $2)", (parent, ahead)
    )
    counts = found.mappings().one()
    return counts["created"], counts["dropped"], counts["postponed"]


async def days(connection: AsyncConnection, parent: str = "outbox") -> list[int]:
    """The parent's partitions as days from today."""
    found = await connection.exec_driver_sql(
        "SELECT to_date(right(relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'utc')::date"
        " FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid"
        " WHERE inhparent = $1::text::regclass AND relname ~ '[0-9]{8}$' ORDER BY 1",
        (parent,),
    )
    return list(found.scalars())


async def drop_day(connection: AsyncConnection, day: int) -> None:
    found = await connection.exec_driver_sql(
        "SELECT 'outbox_' || to_char((now() AT TIME ZONE 'utc')::date + $1::int, 'YYYYMMDD')",
        (day,),
    )
    await connection.exec_driver_sql(f"DROP TABLE {found.scalar_one()}")


async def add_day(connection: AsyncConnection, day: int) -> None:
    """A partition for a day in the past, as upkeep made it then."""
    found = await connection.exec_driver_sql(
        "SELECT format('CREATE TABLE outbox_%s PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',"
        " to_char(d, 'YYYYMMDD'), d, d + 1)"
        " FROM (SELECT (now() AT TIME ZONE 'utc')::date + $1::int) AS days (d)",
        (day,),
    )
    await connection.exec_driver_sql(found.scalar_one())


async def count(connection: AsyncConnection, table: str) -> int:
    found = await connection.execute(select(func.count()).select_from(sql_table(table)))
    return found.scalar_one()


async def refusal(connection: AsyncConnection, statement: str) -> str:
    with pytest.raises(DBAPIError) as refused:
        await connection.exec_driver_sql(statement)
    return str(getattr(refused.value.orig, "sqlstate", ""))


async def test_a_week_is_there_from_the_start(runtime: AsyncConnection) -> None:
    assert await days(runtime) == list(range(8))
    assert await maintain(runtime) == (0, 0, 0)


async def test_late_upkeep_moves_what_the_default_caught(
    runtime: AsyncConnection, migrator: AsyncConnection
) -> None:
    await drop_day(migrator, 0)
    for _ in range(3):
        await runtime.exec_driver_sql(EVENT, (0, None))
    assert await count(migrator, "outbox_default") == 3
    assert await maintain(runtime) == (1, 0, 0)
    assert await count(migrator, "outbox_default") == 0
    assert await count(runtime, "outbox") == 3


async def test_old_days_go_once_everything_in_them_is_published(
    runtime: AsyncConnection, migrator: AsyncConnection
) -> None:
    for day in (-30, -31, -32):
        await add_day(migrator, day)
    await runtime.exec_driver_sql(EVENT, (-31, None))
    assert await maintain(runtime) == (0, 1, 0)
    assert await days(runtime) == [-31, -30, *range(8)]
    await runtime.exec_driver_sql("UPDATE outbox SET published_at = now()")
    assert await maintain(runtime) == (0, 1, 0)
    assert await days(runtime) == [-30, *range(8)]


async def test_old_rows_of_the_default_go_too(runtime: AsyncConnection) -> None:
    await runtime.exec_driver_sql("SET TimeZone = 'Asia/Kolkata'")
    for day, published in ((-31, True), (-31, False), (-30, True)):
        await runtime.exec_driver_sql(EVENT, (day, None))
        if published:
            await runtime.exec_driver_sql("UPDATE outbox SET published_at = now()")
    await runtime.exec_driver_sql(EVENT, (-40, None))
    await maintain(runtime)
    assert await count(runtime, "outbox") == 2


async def test_nobody_keeps_less_than_registered(
    runtime: AsyncConnection, migrator: AsyncConnection
) -> None:
    await add_day(migrator, -2)
    found = await runtime.exec_driver_sql("SELECT * FROM maintain_partitions('outbox', 0, 0)")
    assert tuple(found.one()) == (0, 0, 0)
    await add_day(migrator, -40)
    found = await runtime.exec_driver_sql("SELECT * FROM maintain_partitions('outbox', 0, 50)")
    assert tuple(found.one()) == (0, 0, 0)


async def test_several_at_once_make_each_day_once(
    database: TestDatabase, migrator: AsyncConnection
) -> None:
    for day in range(3, 8):
        await drop_day(migrator, day)

    async def once() -> int:
        async with administrate(database.url) as connection:
            return (await maintain(connection))[0]

    assert sum(await asyncio.gather(*(once() for _ in range(4)))) == 5


async def test_a_day_in_use_is_dropped_another_time(
    database: TestDatabase, runtime: AsyncConnection, migrator: AsyncConnection
) -> None:
    await add_day(migrator, -40)
    await migrator.exec_driver_sql("ALTER FUNCTION change_partitions SET lock_timeout = '10ms'")
    async with administrate(database.url) as reader:
        await reader.exec_driver_sql("BEGIN")
        await reader.exec_driver_sql("SELECT count(*) FROM outbox")
        assert await maintain(runtime) == (0, 0, 1)
        await reader.exec_driver_sql("ROLLBACK")
    assert await maintain(runtime) == (0, 1, 0)


async def test_a_key_may_be_a_time(runtime: AsyncConnection, migrator: AsyncConnection) -> None:
    await migrator.exec_driver_sql("SET TimeZone = 'Asia/Kolkata'")
    await migrator.exec_driver_sql("CREATE TABLE position (at timestamptz) PARTITION BY RANGE (at)")
    await migrator.exec_driver_sql("CREATE TABLE position_default PARTITION OF position DEFAULT")
    await migrator.exec_driver_sql("INSERT INTO partitioned_tables VALUES ('position', 1)")
    assert await maintain(runtime, "position", 1) == (2, 0, 0)
    await migrator.exec_driver_sql("INSERT INTO position VALUES (now())")
    assert await count(migrator, "position_default") == 0
    await migrator.exec_driver_sql(
        "CREATE TABLE position_old PARTITION OF position"
        " FOR VALUES FROM ('2020-01-01Z') TO ('2020-01-02Z')"
    )
    assert await maintain(runtime, "position", 1) == (0, 1, 0)


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ("'audit_log', 7", "42501"),
        ("'pg_class', 7", "42501"),
        ("NULL, 7", "42501"),
        ("'outbox', 61", "22023"),
        ("'outbox', -1", "22023"),
        ("'outbox', NULL", "22023"),
    ],
)
async def test_nonsense_is_refused(runtime: AsyncConnection, arguments: str, state: str) -> None:
    assert await refusal(runtime, f"SELECT maintain_partitions({arguments})") == state


async def test_only_the_runtime_role_may_call(database: TestDatabase) -> None:
    async with administrate(database.superuser_url) as connection:
        found = await connection.exec_driver_sql(
            "SELECT proacl::text, prosecdef, proowner::regrole::text"
            " FROM pg_proc WHERE proname = 'maintain_partitions'"
        )
        assert tuple(found.one()) == (
            "{chassis_migrator=X/chassis_migrator,chassis_runtime=X/chassis_migrator}",
            True,
            "chassis_migrator",
        )
