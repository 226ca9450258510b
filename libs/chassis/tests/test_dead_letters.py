import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import ATTEMPTS, HAND_OUTS
from chassis.db import Database, DatabaseUnavailable
from chassis.events import CloudEvent
from chassis.schema_v3 import INBOX_KEEP_DAYS
from chassis.testing.databases import TestDatabase

from .event_worker import DONE, QUEUE, note_effect
from .eventful import (
    ask_for_replay,
    consume_all,
    consumer_of,
    dead_letters,
    effects,
    make_effects,
    thing_done,
)
from .fake_bus import FakeBus


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[Database]:
    await make_effects(database.migrator_url)
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


class TestFailingHandler:
    async def test_it_comes_again_later_and_later_and_is_parked_in_the_end(
        self, runtime: Database, bus: FakeBus
    ) -> None:
        async def fail(_session: AsyncSession, _event: CloudEvent) -> None:
            raise LookupError("no such booking; password=hunter2 card 4111 1111 1111 1111")

        bus.put(QUEUE, thing_done().to_json())
        consumer = consumer_of(runtime, bus, {DONE: fail})
        for _ in range(ATTEMPTS):
            assert len(bus.messages[QUEUE]) == 1
            await consumer.run()
        assert bus.messages[QUEUE] == []
        assert len(bus.delays) == ATTEMPTS - 1
        assert bus.delays[0] <= 1 < bus.delays[5]
        [letter] = await dead_letters(runtime)
        assert (letter["reason"], letter["attempts"]) == ("failed", ATTEMPTS)
        assert letter["error"].startswith("LookupError: no such booking")
        assert "4111" not in letter["error"]

    async def test_its_neighbours_in_the_batch_go_on(self, runtime: Database, bus: FakeBus) -> None:
        bad, *good = [thing_done(number) for number in range(5)]

        async def fail_once(session: AsyncSession, event: CloudEvent) -> None:
            await note_effect(session, event)
            if event.id == bad.id:
                raise LookupError

        bus.put(QUEUE, *(event.to_json() for event in (good[0], bad, *good[1:])))
        await consumer_of(runtime, bus, {DONE: fail_once}).run()
        assert sorted(await effects(runtime)) == sorted(event.id for event in good)
        assert len(bus.messages[QUEUE]) == 1
        await consumer_of(runtime, bus).run()
        assert bad.id in await effects(runtime)

    async def test_an_error_of_the_database_leaves_nothing_behind(
        self, runtime: Database, bus: FakeBus
    ) -> None:
        async def break_the_transaction(session: AsyncSession, event: CloudEvent) -> None:
            await note_effect(session, event)
            await session.execute(text("SELECT 1 / 0"))

        bus.put(QUEUE, thing_done().to_json(), thing_done().to_json())
        await consumer_of(runtime, bus, {DONE: break_the_transaction}).run()
        assert await effects(runtime) == []
        async with runtime.begin() as session:
            assert await session.scalar(text("SELECT count(*) FROM inbox")) == 0

    async def test_an_absent_database_is_not_the_events_fault(
        self, runtime: Database, bus: FakeBus
    ) -> None:
        async def away(_session: AsyncSession, _event: CloudEvent) -> None:
            raise DatabaseUnavailable

        bus.put(QUEUE, thing_done().to_json())
        consumer = consumer_of(runtime, bus, {DONE: away})
        for _ in range(ATTEMPTS + 2):
            await consumer.run()
        assert await dead_letters(runtime) == []
        assert len(bus.messages[QUEUE]) == 1


async def test_what_takes_consumers_down_is_parked(runtime: Database, bus: FakeBus) -> None:
    bus.put(QUEUE, thing_done().to_json())
    bus.messages[QUEUE][0].attempts = HAND_OUTS
    await consumer_of(runtime, bus).run()
    [letter] = await dead_letters(runtime)
    assert letter["error"] == "It was handed out too often."
    assert await effects(runtime) == []


async def test_parked_twice_is_one_dead_letter(runtime: Database, bus: FakeBus) -> None:
    """Killed between parking and telling the bus, it parks again."""
    for _ in range(2):
        bus.put(QUEUE, b"nonsense")
        await consumer_of(runtime, bus).run()
    assert len(await dead_letters(runtime)) == 1


class TestReplay:
    async def test_it_is_handled_as_if_it_had_just_come(
        self, runtime: Database, bus: FakeBus
    ) -> None:
        event = thing_done()
        await consume_all(runtime, bus, event.model_copy(update={"data": {"number": "x"}}))
        consumer = consumer_of(runtime, bus)
        assert not await consumer.replay()
        await ask_for_replay(runtime)
        assert await consumer.replay()
        [letter] = await dead_letters(runtime)
        assert letter["resolved_at"] is None
        assert letter["replay_requested_at"] is None
        assert letter["attempts"] == 2
        seen: list[object] = []

        async def lenient(_session: AsyncSession, event: CloudEvent) -> None:
            seen.append(event.data["number"])

        await ask_for_replay(runtime)
        mended = consumer_of(runtime, bus, {DONE: lenient})
        assert await mended.replay()
        assert not await mended.replay()
        assert seen == ["x"]
        [letter] = await dead_letters(runtime)
        assert letter["resolved_at"] is not None

    async def test_two_at_once_have_one_effect(self, runtime: Database, bus: FakeBus) -> None:
        old = thing_done(age=timedelta(days=INBOX_KEEP_DAYS + 1))
        await consume_all(runtime, bus, old)
        await ask_for_replay(runtime)
        await asyncio.gather(*(consumer_of(runtime, bus).replay() for _ in range(3)))
        assert await effects(runtime) == [old.id]

    @pytest.mark.parametrize("error", [LookupError("not yet"), ValueError("no")])
    async def test_one_that_fails_again_waits_again(
        self, runtime: Database, bus: FakeBus, error: Exception
    ) -> None:
        async def fail(session: AsyncSession, event: CloudEvent) -> None:
            await note_effect(session, event)
            raise error

        await consume_all(runtime, bus, thing_done(age=timedelta(days=INBOX_KEEP_DAYS + 1)))
        await ask_for_replay(runtime)
        assert await consumer_of(runtime, bus, {DONE: fail}).replay()
        [letter] = await dead_letters(runtime)
        assert letter["reason"] == "failed"
        assert letter["replay_requested_at"] is None
        assert await effects(runtime) == []

    async def test_nonsense_stays_nonsense(self, runtime: Database, bus: FakeBus) -> None:
        bus.put(QUEUE, b"nonsense")
        consumer = consumer_of(runtime, bus)
        await consumer.run()
        await ask_for_replay(runtime)
        assert await consumer.replay()
        [letter] = await dead_letters(runtime)
        assert (letter["reason"], letter["attempts"]) == ("nonsense", 2)
