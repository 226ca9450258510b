import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from chassis.db import Database
from chassis.lease import Lease
from chassis.testing.databases import TestDatabase


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[Database]:
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


async def test_workers_of_one_colour_hold_it_together(runtime: Database) -> None:
    workers = [Lease(runtime, colour="blue") for _ in range(3)]
    await asyncio.gather(*(worker.renew() for worker in workers))
    assert all(worker.held for worker in workers)


async def test_another_colour_waits_for_the_last_to_stop(runtime: Database) -> None:
    first, second = Lease(runtime, colour="blue"), Lease(runtime, colour="blue")
    green = Lease(runtime, colour="green")
    for worker in (first, second, green):
        await worker.renew()
    assert not green.held
    await first.release()
    assert not first.held
    await green.renew()
    assert not green.held
    assert second.held
    await second.release()
    await green.renew()
    assert green.held
    await second.renew()
    assert not second.held


async def test_who_is_not_heard_of_loses_it(runtime: Database) -> None:
    killed, green = Lease(runtime, colour="blue", seconds=0.3), Lease(runtime, colour="green")
    await killed.renew()
    await green.renew()
    assert killed.held
    assert not green.held
    await asyncio.sleep(0.31)
    assert not killed.held
    await green.renew()
    assert green.held
    await killed.renew()
    assert not killed.held


async def test_renewing_keeps_it(runtime: Database) -> None:
    blue, green = Lease(runtime, colour="blue", seconds=0.4), Lease(runtime, colour="green")
    for _ in range(4):
        await blue.renew()
        await asyncio.sleep(0.2)
        await green.renew()
        assert blue.held
        assert not green.held


async def test_of_two_colours_at_once_one_gets_it(runtime: Database) -> None:
    for _ in range(10):
        rivals = [Lease(runtime, colour=colour) for colour in ("blue", "green")]
        await asyncio.gather(*(rival.renew() for rival in rivals))
        assert sum(rival.held for rival in rivals) == 1
        for rival in rivals:
            await rival.release()


async def test_the_schema_knows_one_colour_at_a_time(runtime: Database) -> None:
    await Lease(runtime, colour="blue").renew()
    statement = text("INSERT INTO worker_lease VALUES (gen_random_uuid(), :colour, now())")
    for colour in ("green", "red"):
        with pytest.raises((IntegrityError, DBAPIError)):
            async with runtime.begin() as session:
                await session.execute(statement, {"colour": colour})
