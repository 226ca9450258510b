"""A service that handles events, and its worker as a process for tests that kill it:
`event_worker.py relay|consume DATABASE_URL BUS_URL`.
"""

import asyncio
import sys

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import Consumer
from chassis.db import Database
from chassis.events import CloudEvent
from chassis.postgres_bus import PostgresBus
from chassis.relay import Relay
from chassis.settings import ServiceSettings
from chassis.worker import Job, run_worker

VISIBILITY_SECONDS = 1.0
DONE = "in.ubertruck.thing.done.v1"
QUEUE = "sample"


class Thing(BaseModel):
    """What the events tell."""

    number: int


async def note_effect(session: AsyncSession, event: CloudEvent) -> None:
    """The effect of an event: one row, with nothing that would keep it from being there twice."""
    thing = Thing.model_validate(event.data)
    await session.execute(
        text("INSERT INTO effects (event_id, number) VALUES (:id, :number)"),
        {"id": event.id, "number": thing.number},
    )


HANDLERS = {DONE: note_effect}


async def work(kind: str, database_url: str, bus_url: str) -> None:
    """Relay or consume until killed."""
    settings = ServiceSettings.model_validate({"database_url": database_url})
    database = Database.connect(database_url, name="test")
    async with PostgresBus.connect(bus_url, name="test") as bus:
        if kind == "relay":
            run = Relay(database, bus, batch_size=100).run
        else:
            consumer = Consumer(
                database, bus, queue=QUEUE, handlers=HANDLERS, visibility=VISIBILITY_SECONDS
            )
            run = consumer.run
        job = Job(name=kind, interval=0.05, run=run)
        await run_worker(settings=settings, jobs=[job], stop=asyncio.Event())


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
