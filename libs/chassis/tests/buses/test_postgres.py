"""What the bus in Postgres does besides the contract."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, BusUnavailable
from chassis.db import Database
from chassis.embedded import EmbeddedPostgres
from chassis.migrations import upgrade
from chassis.postgres_bus import CHANNEL, PLANNING, POLL_SECONDS, RECEIVE, PostgresBus
from chassis.provisioning import administrate, provision
from chassis.testing.databases import PASSWORD, TestDatabase

from .happenings import LOADED, drain, event, ids, nothing_in, take

Q = "tracking"
KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def bus(bus_database: TestDatabase) -> AsyncGenerator[Bus]:
    async with PostgresBus.connect(bus_database.url, name="test-bus") as bus:
        await bus.declare(Q, frozenset({LOADED}))
        yield bus


@asynccontextmanager
async def superuser(database: TestDatabase) -> AsyncGenerator[AsyncConnection]:
    async with administrate(database.superuser_url, database=database.name) as connection:
        yield connection


async def test_a_void_receipt_does_nothing(bus: Bus) -> None:
    await bus.publish([event()])
    void = await take(bus, Q, visibility=0.05)
    [held] = await take(bus, Q, visibility=1)
    await bus.acknowledge(Q, void)
    await bus.release(Q, void, delay=0)
    assert await nothing_in(bus, Q)
    [again] = await take(bus, Q)
    assert again.attempt == held.attempt + 1


async def test_consumers_at_once_get_different_ones(bus: Bus, bus_database: TestDatabase) -> None:
    published = [event() for _ in range(1000)]
    await bus.publish(published)
    async with PostgresBus.connect(bus_database.url, name="test-second") as second:
        found = await drain(bus, second, bus, second)
    assert sorted(ids(found)) == sorted(str(one.id) for one in published)
    assert {delivery.attempt for delivery in found} == {1}


async def test_what_somebody_is_working_on_is_passed_over(
    bus: Bus, bus_database: TestDatabase
) -> None:
    await bus.publish([event() for _ in range(3)])
    async with superuser(bus_database) as server:
        await server.exec_driver_sql("BEGIN")
        await server.exec_driver_sql("SELECT FROM messages ORDER BY visible_at LIMIT 1 FOR UPDATE")
        async with asyncio.timeout(4):
            assert len(await take(bus, Q)) == 2


async def test_a_notice_wakes_at_once_and_polling_does_without(
    bus: Bus, bus_database: TestDatabase
) -> None:
    clock = asyncio.get_running_loop().time
    await _listening(bus_database)
    delays: list[float] = []
    for _ in range(5):
        waiting = asyncio.create_task(take(bus, Q))
        await asyncio.sleep(0.05)
        started = clock()
        await bus.publish([event()])
        assert len(await waiting) == 1
        delays.append(clock() - started)
    # On a busy machine one may take long, but polling alone would take this long each time.
    assert min(delays) < POLL_SECONDS / 2
    waiting = asyncio.create_task(take(bus, Q))
    await asyncio.sleep(0.05)
    async with superuser(bus_database) as server:
        await server.exec_driver_sql("INSERT INTO messages (queue, body) VALUES ($1, 'x')", (Q,))
    assert len(await waiting) == 1


async def test_a_batch_sends_one_notice_a_queue(bus: Bus, bus_database: TestDatabase) -> None:
    notices: list[str] = []

    def hear(_connection: object, _process: int, _channel: str, queue: str) -> None:
        notices.append(queue)

    await bus.declare("payment", frozenset({LOADED}))
    database = Database.connect(bus_database.url, name="ears")
    async with database.driver() as connection:
        await cast(Any, connection).add_listener(CHANNEL, hear)
        await bus.publish([event() for _ in range(50)])
        await connection.fetch("SELECT 1")
        connection.terminate()
    await database.dispose()
    assert sorted(notices) == ["payment", Q]


async def test_connections_that_die_come_back(bus: Bus, bus_database: TestDatabase) -> None:
    await _listening(bus_database)
    waiting = asyncio.create_task(take(bus, Q, wait=10))
    await asyncio.sleep(0.05)
    async with superuser(bus_database) as server:
        await server.exec_driver_sql(KILL)
    await _listening(bus_database)
    await bus.publish([event()])
    assert len(await waiting) == 1


async def test_connections_killed_at_any_moment_lose_nothing(
    bus: Bus, bus_database: TestDatabase
) -> None:
    published: set[str] = set()
    seen: set[str] = set()
    storm = asyncio.Event()

    async def publish() -> None:
        while not storm.is_set():
            batch = [event() for _ in range(20)]
            with contextlib.suppress(BusUnavailable):
                await bus.publish(batch)
                published.update(str(one.id) for one in batch)

    async def consume() -> None:
        while not (storm.is_set() and seen >= published):
            with contextlib.suppress(BusUnavailable):
                found = await take(bus, Q, limit=50, wait=0.1, visibility=0.5)
                seen.update(ids(found))
                await bus.acknowledge(Q, found)

    async def kill() -> None:
        async with superuser(bus_database) as server:
            for _ in range(12):
                await asyncio.sleep(0.1)
                await server.exec_driver_sql(KILL)
        storm.set()

    async with asyncio.timeout(20):
        await asyncio.gather(kill(), publish(), publish(), consume(), consume())
    assert len(published) > 100


async def test_a_restart_of_the_server_in_the_middle(postgres_server: EmbeddedPostgres) -> None:
    superuser_url = postgres_server.superuser_url()
    await provision(superuser_url, "bus", migrator_password=PASSWORD, runtime_password=PASSWORD)
    where = f"127.0.0.1:{postgres_server.port}/bus"
    await upgrade("bus", f"postgresql+asyncpg://bus_migrator:{PASSWORD}@{where}")
    runtime = f"postgresql+asyncpg://bus_runtime:{PASSWORD}@{where}"
    async with PostgresBus.connect(runtime, name="test-bus") as bus:
        await bus.declare(Q, frozenset({LOADED}))
        await bus.publish([event() for _ in range(20)])
        held = await take(bus, Q, limit=5, visibility=1)
        await asyncio.to_thread(postgres_server.stop)
        with pytest.raises(BusUnavailable):
            await bus.publish([event()])
        await asyncio.to_thread(postgres_server.start)
        await bus.acknowledge(Q, held[:3])
        await asyncio.sleep(1)
        assert len(await take(bus, Q, limit=100)) == 17


async def test_the_search_keeps_to_the_index_from_the_first_row_on(
    bus_database: TestDatabase,
) -> None:
    database = Database.connect(bus_database.url, name="planner", settings=PLANNING)
    async with database.begin() as session:
        prepared = RECEIVE.replace("$3)", "$3::float8)")
        await session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        await session.execute(text(f"PREPARE search (text, bigint, float8) AS {prepared}"))
        lines = await session.scalars(text("EXPLAIN EXECUTE search ('tracking', 10, 30)"))
        plan = "\n".join(lines)
    await database.dispose()
    assert "Index Scan using ix_messages_next" in plan
    assert "Index Scan using pk_messages" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("INSERT INTO messages (queue, body) VALUES ('nowhere', 'x')", "23503"),
        ("INSERT INTO messages (queue, body) VALUES ('tracking', '')", "23514"),
        ("INSERT INTO queues (name) VALUES ('Two words')", "23514"),
        ("INSERT INTO subscriptions (queue, type) VALUES ('tracking', '')", "23514"),
        ("UPDATE messages SET body = 'y'", "42501"),
        ("DELETE FROM queues", "42501"),
        ("DROP TABLE messages", "42501"),
        ("CREATE TABLE mine ()", "42501"),
    ],
)
async def test_the_database_refuses(
    bus: Bus, bus_database: TestDatabase, statement: str, state: str
) -> None:
    database = Database.connect(bus_database.url, name="test")
    with pytest.raises(DBAPIError) as refusal:
        async with database.begin() as session:
            await session.execute(text(statement))
    await database.dispose()
    assert getattr(refusal.value.orig, "sqlstate", None) == state


async def _listening(database: TestDatabase) -> None:
    """Return once a connection of the bus listens."""
    async with superuser(database) as server, asyncio.timeout(5):
        while not await server.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN %'"
            )
        ):
            await asyncio.sleep(0.02)
