import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from opentelemetry import trace
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis import consumer as consumer_module
from chassis import inbox
from chassis.bus import BusUnavailable
from chassis.consumer import BATCH_SIZE
from chassis.db import Database
from chassis.events import CloudEvent
from chassis.schema_v3 import INBOX_KEEP_DAYS
from chassis.telemetry import current_traceparent
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


def handled(outcome: str, kind: str = DONE) -> float:
    labels = {"type": kind, "outcome": outcome}
    return REGISTRY.get_sample_value("events_handled_total", labels) or 0.0


async def test_events_have_their_effect_and_leave_the_queue(
    runtime: Database, bus: FakeBus
) -> None:
    events = [thing_done(number) for number in range(BATCH_SIZE + 3)]
    await consume_all(runtime, bus, *events)
    assert sorted(await effects(runtime)) == sorted(event.id for event in events)


async def test_an_event_that_comes_again_has_no_second_effect(
    runtime: Database, bus: FakeBus
) -> None:
    before = handled("repeated")
    first, second = thing_done(), thing_done()
    await consume_all(runtime, bus, first, first, second)
    await consume_all(runtime, bus, second, first)
    assert sorted(await effects(runtime)) == sorted([first.id, second.id])
    assert handled("repeated") == before + 3


async def test_the_same_id_of_another_source_is_another_event(
    runtime: Database, bus: FakeBus
) -> None:
    event = thing_done()
    other = event.model_copy(update={"source": "/other"})
    await consume_all(runtime, bus, event, other)
    assert await effects(runtime) == [event.id, event.id]


async def test_two_consumers_of_the_same_events_at_once(runtime: Database) -> None:
    events = [thing_done(number) for number in range(40)]
    buses = [FakeBus(), FakeBus(), FakeBus()]
    orders = [events, events[::-1], events[20:] + events[:20]]
    await asyncio.gather(
        *(consume_all(runtime, bus, *order) for bus, order in zip(buses, orders, strict=True))
    )
    assert sorted(await effects(runtime)) == sorted(event.id for event in events)


async def test_fields_that_were_added_are_ignored(runtime: Database, bus: FakeBus) -> None:
    event = thing_done(data={"number": 7, "new": {"deep": [1]}})
    bus.put(QUEUE, event.to_json().replace(b'"specversion"', b'"unheardof":1,"specversion"'))
    await consumer_of(runtime, bus).run()
    assert await effects(runtime) == [event.id]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b"null",
        b"{}",
        thing_done().to_json()[:-5],
        thing_done().to_json().replace(b"1.0", b"2.0"),
        b"[" * 100_000,
        thing_done()
        .to_json()
        .replace(b'"time":"2', b'"time":"0001-01-01T00:00:00+14:00","was":"2'),
    ],
)
async def test_nonsense_is_parked_at_once(runtime: Database, bus: FakeBus, body: bytes) -> None:
    good = thing_done()
    bus.put(QUEUE, body, good.to_json())
    await consumer_of(runtime, bus).run()
    [letter] = await dead_letters(runtime)
    assert (letter["queue"], letter["reason"], letter["body"]) == (QUEUE, "nonsense", body)
    assert await effects(runtime) == [good.id]
    assert bus.messages[QUEUE] == []


async def test_data_that_the_model_refuses_are_parked_at_once(
    runtime: Database, bus: FakeBus
) -> None:
    wrong, good = thing_done(data={"number": "many"}), thing_done()
    await consume_all(runtime, bus, wrong, good)
    [letter] = await dead_letters(runtime)
    assert (letter["reason"], letter["type"]) == ("nonsense", DONE)
    assert await effects(runtime) == [good.id]


async def test_a_new_major_version_is_subscribed_to_and_parked(
    runtime: Database, bus: FakeBus
) -> None:
    consumer = consumer_of(runtime, bus)
    await bus.declare(QUEUE, frozenset())
    await consumer.run()
    newer = DONE.replace(".v1", ".v2")
    assert bus.queues[QUEUE] == {DONE, newer}
    event = thing_done().model_copy(update={"type": newer})
    await bus.publish([event])
    await consumer.run()
    [letter] = await dead_letters(runtime)
    assert (letter["reason"], letter["type"]) == ("unknown_type", newer)
    assert CloudEvent.from_json(letter["body"]) == event
    # Code that knows it picks it up.
    await ask_for_replay(runtime)
    assert await consumer_of(runtime, bus, {newer: note_effect}).replay()
    assert await effects(runtime) == [event.id]


async def test_what_is_older_than_the_inbox_is_parked(runtime: Database, bus: FakeBus) -> None:
    old = thing_done(age=timedelta(days=INBOX_KEEP_DAYS))
    young = thing_done(age=timedelta(days=INBOX_KEEP_DAYS - 2))
    await consume_all(runtime, bus, old, young, young)
    [letter] = await dead_letters(runtime)
    assert letter["reason"] == "too_old"
    assert await effects(runtime) == [young.id]


async def test_an_event_at_midnight_stays_in_its_day(runtime: Database, bus: FakeBus) -> None:
    event = thing_done(age=timedelta(days=3))
    east = event.model_dump(mode="json") | {"time": event.time.isoformat()}
    await consume_all(runtime, bus, event, CloudEvent.model_validate(east))
    async with runtime.begin() as session:
        days = list(await session.scalars(text("SELECT occurred_on FROM inbox")))
    assert days == [event.time.date()]


async def test_nothing_happens_while_the_bus_is_away(runtime: Database, bus: FakeBus) -> None:
    event = thing_done()
    bus.put(QUEUE, event.to_json())
    consumer = consumer_of(runtime, bus)
    bus.away = True
    with pytest.raises(BusUnavailable):
        await consumer.run()
    bus.away = False
    await consumer.run()
    assert await effects(runtime) == [event.id]


async def test_cut_off_between_commit_and_acknowledgement(
    runtime: Database, bus: FakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_arguments: object) -> None:
        raise BusUnavailable

    events = [thing_done(), thing_done()]
    bus.put(QUEUE, *(event.to_json() for event in events))
    with monkeypatch.context() as broken:
        broken.setattr(bus, "acknowledge", cut)
        with pytest.raises(BusUnavailable):
            await consumer_of(runtime, bus).run()
    for message in bus.messages[QUEUE]:
        message.visible_at = 0.0
    await consumer_of(runtime, bus).run()
    assert sorted(await effects(runtime)) == sorted(event.id for event in events)
    assert bus.messages[QUEUE] == []


async def test_events_of_a_handler_belong_to_the_trace(runtime: Database, bus: FakeBus) -> None:
    seen: list[str | None] = []

    async def look(_session: AsyncSession, _event: CloudEvent) -> None:
        seen.append(current_traceparent())

    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced = thing_done().model_copy(update={"traceparent": parent})
    bus.put(QUEUE, traced.to_json(), thing_done().to_json())
    await consumer_of(runtime, bus, {DONE: look}).run()
    assert seen == [parent, None]
    assert not trace.get_current_span().get_span_context().is_valid


def test_lags_and_outcomes_are_metrics() -> None:
    assert "event_lag_seconds" in {metric.name for metric in REGISTRY.collect()}
    assert consumer_module.with_next_versions({"a.v9": note_effect}) == {"a.v9", "a.v10"}


@pytest.mark.nightly
@pytest.mark.parametrize(
    "faulty",
    [
        # Nothing is noted, and everything counts as new.
        "SELECT source, id FROM unnest(CAST(:sources AS text[]), CAST(:ids AS uuid[]),"
        " CAST(:days AS date[])) AS given (source, id, occurred_on)",
        # What was noted before counts as new.
        inbox.NOTE.replace(
            "DO NOTHING", "(source, id, occurred_on) DO UPDATE SET source = excluded.source"
        ),
    ],
)
async def test_a_planted_fault_of_the_inbox_is_seen(
    runtime: Database,
    bus: FakeBus,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    faulty: str,
) -> None:
    owner = Database.connect(database.superuser_url, name="test")
    async with owner.begin() as session:
        await session.execute(text("GRANT UPDATE ON inbox TO chassis_runtime"))
    await owner.dispose()
    monkeypatch.setattr(inbox, "NOTE", faulty)
    with pytest.raises(AssertionError):
        await test_an_event_that_comes_again_has_no_second_effect(runtime, bus)
