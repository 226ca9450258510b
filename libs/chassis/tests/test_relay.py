import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from chassis import relay as relay_module
from chassis.bus import BusUnavailable
from chassis.db import Database
from chassis.events import CloudEvent
from chassis.relay import Relay
from chassis.testing.databases import TestDatabase

from .eventful import ask_for_replay, dead_letters, fill_outbox, send, waiting
from .fake_bus import FakeBus


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[Database]:
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


class SlowBus(FakeBus):
    """Publishes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        self.asked.set()
        await self.go.wait()
        await super().publish(events)


async def spoil(database: TestDatabase, position: int) -> None:
    """Make one of the waiting events, by its place in time, impossible to publish."""
    owner = Database.connect(database.superuser_url, name="test")
    async with owner.begin() as session:
        await session.execute(
            text(
                "UPDATE outbox SET data = '[]' WHERE id ="
                " (SELECT id FROM outbox ORDER BY occurred_at LIMIT 1 OFFSET :position)"
            ),
            {"position": position},
        )
    await owner.dispose()


async def drain(relay: Relay) -> None:
    while await relay.run():
        pass


async def test_the_oldest_go_first_and_each_once(runtime: Database) -> None:
    bus = FakeBus()
    ids = await send(runtime, 5)
    relay = Relay(runtime, bus, batch_size=2)
    assert await relay.run()
    assert [event.id for event in bus.published] == ids[:2]
    await drain(relay)
    assert [event.id for event in bus.published] == ids
    assert await waiting(runtime) == 0
    assert not await relay.run()
    assert len(bus.published) == 5


async def test_what_was_committed_late_is_not_passed_by(runtime: Database) -> None:
    bus = FakeBus()
    relay = Relay(runtime, bus)
    async with runtime.begin() as late:
        await late.execute(text("SELECT 1"))
        await fill_outbox(runtime, 3)
        await relay.run()
        assert len(bus.published) == 3
        # Older than what was published already.
        await late.execute(
            text(
                "INSERT INTO outbox (id, type, source, subject, aggregate_version, data,"
                " occurred_at) SELECT gen_random_uuid(), type, source, 'late', 1, data,"
                " occurred_at - interval '1 hour' FROM outbox LIMIT 1"
            )
        )
    await relay.run()
    assert [event.subject for event in bus.published[3:]] == ["late"]


async def test_nothing_is_marked_when_the_bus_is_away(runtime: Database) -> None:
    bus = FakeBus(away=True)
    await send(runtime, 3)
    with pytest.raises(BusUnavailable):
        await Relay(runtime, bus).run()
    assert await waiting(runtime) == 3
    bus.away = False
    await Relay(runtime, bus).run()
    assert len(bus.published) == 3


async def test_cut_off_half_way_it_publishes_again(runtime: Database) -> None:
    bus = SlowBus()
    await send(runtime, 3)
    working = asyncio.create_task(Relay(runtime, bus).run())
    await bus.asked.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await waiting(runtime) == 3
    bus.go.set()
    await Relay(runtime, bus).run()
    assert len({event.id for event in bus.published}) == 3


async def test_a_relay_waits_for_no_other(runtime: Database) -> None:
    await send(runtime, 6)
    hanging, bus = SlowBus(), FakeBus()
    first = asyncio.create_task(Relay(runtime, hanging, batch_size=3).run())
    await hanging.asked.wait()
    try:
        async with asyncio.timeout(2):
            await drain(Relay(runtime, bus, batch_size=3))
    finally:
        hanging.go.set()
        await first
    assert not {e.id for e in bus.published} & {e.id for e in hanging.published}
    assert len(bus.published) == len(hanging.published) == 3


async def test_several_relays_publish_each_event_once(runtime: Database) -> None:
    bus = FakeBus()
    await fill_outbox(runtime, 300, days=3)
    await asyncio.gather(*(drain(Relay(runtime, bus, batch_size=20)) for _ in range(4)))
    await drain(Relay(runtime, bus))
    assert set(Counter(event.id for event in bus.published).values()) == {1}
    assert len(bus.published) == 300


@pytest.mark.nightly
@pytest.mark.parametrize("fault", ["SKIP LOCKED", "FOR UPDATE SKIP LOCKED"])
async def test_planted_faults_of_claiming_are_seen(
    runtime: Database, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(relay_module, "CLAIM", relay_module.CLAIM.replace(fault, ""))
    with pytest.raises((AssertionError, TimeoutError)):
        await test_a_relay_waits_for_no_other(runtime)


class TestPoison:
    async def test_one_row_doesnt_stop_the_others(
        self, runtime: Database, database: TestDatabase
    ) -> None:
        bus = FakeBus()
        ids = await send(runtime, 5)
        await spoil(database, 2)
        assert not await Relay(runtime, bus).run()
        assert [event.id for event in bus.published] == ids[:2] + ids[3:]
        [letter] = await dead_letters(runtime)
        assert letter["queue"] == "outbox"
        assert letter["reason"] == "unpublishable"
        assert str(ids[2]).encode() in letter["body"]
        assert await waiting(runtime) == 0

    async def test_what_the_bus_refuses_doesnt_stop_the_others(self, runtime: Database) -> None:
        ids = await send(runtime, 5)
        bus = FakeBus(refuses=lambda event: event.id == ids[1])
        await Relay(runtime, bus).run()
        assert [event.id for event in bus.published] == ids[:1] + ids[2:]
        [letter] = await dead_letters(runtime)
        assert letter["error"].startswith("EventTooLarge: ")

    async def test_it_is_published_after_a_replay(
        self, runtime: Database, database: TestDatabase
    ) -> None:
        bus = FakeBus()
        [event_id] = await send(runtime, 1)
        await spoil(database, 0)
        relay = Relay(runtime, bus)
        await relay.run()
        assert not await relay.requeue()
        await ask_for_replay(runtime)
        # Still spoiled, so it is parked again, as a dead letter of its own.
        assert await relay.requeue()
        await relay.run()
        resolved, again = await dead_letters(runtime)
        assert resolved["resolved_at"] is not None
        assert again["resolved_at"] is None
        owner = Database.connect(database.superuser_url, name="test")
        async with owner.begin() as session:
            await session.execute(text("""UPDATE outbox SET data = '{"number": 1}'"""))
        await owner.dispose()
        await ask_for_replay(runtime)
        assert await relay.requeue()
        await relay.run()
        assert [event.id for event in bus.published] == [event_id]
        assert {row["resolved_at"] is None for row in await dead_letters(runtime)} == {False}

    async def test_a_replay_of_what_is_gone_says_so(
        self, runtime: Database, database: TestDatabase
    ) -> None:
        await send(runtime, 1)
        await spoil(database, 0)
        relay = Relay(runtime, FakeBus())
        await relay.run()
        owner = Database.connect(database.superuser_url, name="test")
        async with owner.begin() as session:
            await session.execute(text("DELETE FROM outbox"))
        await owner.dispose()
        await ask_for_replay(runtime)
        assert await relay.requeue()
        [letter] = await dead_letters(runtime)
        assert letter["replay_requested_at"] is None
        assert letter["error"] == "The outbox doesn't hold it any more."


async def test_the_way_by_the_index_holds_from_the_first_row_on(runtime: Database) -> None:
    """Plans are kept; made over empty partitions they must still do with many rows in them."""
    async with runtime.begin() as session:
        await session.execute(text(relay_module.STEADY_PLANS))
        await session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        explained = await session.scalars(text(f"EXPLAIN {relay_module.CLAIM}"), {"size": 500})
        plan = "\n".join(explained)
    assert "Seq Scan" not in plan
    assert "Sort  (" not in plan
    assert "Merge Append" in plan
    assert "occurred_at_idx" in plan


async def test_events_of_many_days_go_in_order(runtime: Database) -> None:
    bus = FakeBus()
    await fill_outbox(runtime, 60, days=20)
    await drain(Relay(runtime, bus, batch_size=7))
    times = [event.time for event in bus.published]
    assert times == sorted(times)
    assert times[-1] - times[0] > timedelta(days=18)
