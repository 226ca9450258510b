"""A service that sends and handles events, to try things on."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text

from chassis.consumer import Consumer
from chassis.db import Database
from chassis.events import CloudEvent, Handler, record_event
from chassis.ids import new_id

from .event_worker import DONE, HANDLERS, QUEUE, Thing
from .fake_bus import FakeBus


async def make_effects(migrator_url: str, *, runtime_role: str = "chassis_runtime") -> None:
    """The table that handlers write their effects to."""
    migrator = Database.connect(migrator_url, name="test")
    async with migrator.begin() as session:
        await session.execute(text("CREATE TABLE effects (event_id uuid, number int)"))
        await session.execute(text(f"GRANT SELECT, INSERT ON effects TO {runtime_role}"))
    await migrator.dispose()


def consumer_of(
    runtime: Database, bus: FakeBus, handlers: Mapping[str, Handler] = HANDLERS
) -> Consumer:
    return Consumer(runtime, bus, queue=QUEUE, handlers=handlers)


async def consume_all(runtime: Database, bus: FakeBus, *events: CloudEvent) -> None:
    bus.put(QUEUE, *(event.to_json() for event in events))
    consumer = consumer_of(runtime, bus)
    while bus.messages[QUEUE]:
        await consumer.run()


def thing_done(
    number: int = 1, *, age: timedelta = timedelta(0), data: Mapping[str, Any] | None = None
) -> CloudEvent:
    """An event that happened `age` ago."""
    return CloudEvent(
        id=new_id(),
        source="/sample",
        type=DONE,
        subject=str(new_id()),
        time=datetime.now(UTC) - age,
        aggregateversion=1,
        data=dict(data) if data is not None else {"number": number},
    )


async def send(database: Database, count: int) -> list[uuid.UUID]:
    """Put events into the outbox as a service does; their ids."""
    async with database.begin() as session:
        return [
            await record_event(
                session,
                source="/sample",
                type=DONE,
                subject=new_id(),
                tenant_id=None,
                aggregate_version=1,
                data=Thing(number=number),
            )
            for number in range(count)
        ]


async def fill_outbox(database: Database, count: int, *, days: int = 1) -> None:
    """Put many events into the outbox at once, over the last `days` days."""
    async with database.begin() as session:
        await session.execute(
            text(
                """
                INSERT INTO outbox (id, type, source, subject, aggregate_version, data,
                    occurred_at, created_on)
                SELECT gen_random_uuid(), :type, '/sample', n::text, 1,
                    jsonb_build_object('number', n), moment, (moment AT TIME ZONE 'utc')::date
                FROM (
                    SELECT n, now() - (n % :days) * interval '1 day' - n * interval '1 us'
                    FROM generate_series(1, :count) AS n
                ) AS made (n, moment)
                """
            ),
            {"type": DONE, "days": days, "count": count},
        )


async def effects(database: Database) -> list[uuid.UUID]:
    """The ids of the events that had their effect, as often as they had it."""
    async with database.begin() as session:
        return list(await session.scalars(text("SELECT event_id FROM effects")))


async def waiting(database: Database) -> int:
    """How many events wait in the outbox."""
    statement = text("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    async with database.begin() as session:
        return await session.scalar(statement) or 0


async def dead_letters(database: Database) -> list[RowMapping]:
    """Every dead letter, the oldest first."""
    async with database.begin() as session:
        found = await session.execute(text("SELECT * FROM dead_letters ORDER BY id"))
        return list(found.mappings())


async def ask_for_replay(database: Database) -> None:
    """What `ubertruck events replay` does, for every open dead letter."""
    async with database.begin() as session:
        await session.execute(
            text("UPDATE dead_letters SET replay_requested_at = now() WHERE resolved_at IS NULL")
        )
