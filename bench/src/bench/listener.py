"""Whether events arrive: a consumer beside the platform, and the books of what it was told.

Its queue exists while a listener is open and wants each `booking.requested`; what becomes of one
is a row in a database of its own. Whether a process works at it is up to `at_work`.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.errors import WrongAnswer
from bench.processes import running, service_spec
from bench.stage import Stage
from bench.subjects.databases import prepare_database
from bench.subjects.witness import HEARD, NAME
from chassis.provisioning import administrate, roles_of
from contracts.booking import BOOKING_REQUESTED
from ops.rollout.ports import Colour
from ops.services import BOOKING, BUS, WORKER_NICENESS

DATABASE = "bench_witness"
MODULE = "bench.subjects.witness"
POLL_SECONDS = 0.1
# Without anything new for so long, nothing will come any more.
PATIENCE = 30.0

_TABLE = f"""
    DROP TABLE IF EXISTS effects;
    CREATE TABLE effects (event_id uuid NOT NULL, booking_id uuid NOT NULL);
    GRANT INSERT ON effects TO {roles_of(BOOKING.name).runtime}
"""
_WAITING = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
_EVENTS = "SELECT id, occurred_at FROM outbox WHERE type = $1 AND occurred_at >= $2"
_PARKED = "SELECT reason || ': ' || error FROM dead_letters WHERE resolved_at IS NULL LIMIT 1"
_GONE = (
    "DELETE FROM subscriptions WHERE queue = $1",
    "DELETE FROM messages WHERE queue = $1",
    "DELETE FROM queues WHERE name = $1",
)
_WANTED = "INSERT INTO subscriptions (queue, type) VALUES ($1, $2)"


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """The events of bookings in one database of booking's, from a moment on."""

    connection: AsyncConnection
    began: datetime

    async def waiting(self) -> int:
        """How many of any kind aren't published yet."""
        return await _scalar(self.connection, _WAITING)

    async def events(self) -> Mapping[UUID, datetime]:
        """When each of them happened, by its id."""
        found = await self.connection.exec_driver_sql(_EVENTS, (BOOKING_REQUESTED, self.began))
        return {row.id: row.occurred_at for row in found}

    async def published(self) -> None:
        """Return once nothing waits any more; WrongAnswer when it doesn't come to that."""
        await until_nothing_waits(self.waiting, "published")


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A queue of the platform's bus, and the effects of what came by it."""

    stage: Stage
    url: str
    connection: AsyncConnection
    bus: AsyncConnection

    @classmethod
    @asynccontextmanager
    async def of(cls, stage: Stage) -> AsyncGenerator[Self]:
        """An empty queue, and no effects yet. Both are gone after the body."""
        server = stage.platform.server.superuser_url()
        passwords = stage.layout.credentials.database
        url = await prepare_database(server, name=DATABASE, passwords=passwords)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            connection = await enter(administrate(server, database=DATABASE))
            bus = await enter(administrate(server, database=BUS))
            for statement in _TABLE.split(";"):
                await connection.exec_driver_sql(statement)
            listener = cls(stage=stage, url=url, connection=connection, bus=bus)
            await bus.exec_driver_sql("INSERT INTO queues VALUES ($1)", (NAME,))
            await bus.exec_driver_sql(_WANTED, (NAME, BOOKING_REQUESTED))
            try:
                yield listener
            finally:
                for statement in _GONE:
                    await bus.exec_driver_sql(statement, (NAME,))

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """A process works at the queue until the body ends."""
        spec = service_spec(
            self.stage.layout, NAME, MODULE, database_url=self.url, niceness=WORKER_NICENESS
        )
        async with running(spec):
            yield

    async def forget(self) -> None:
        """Start anew: no messages, no effects."""
        await self.bus.exec_driver_sql("TRUNCATE messages")
        await self.connection.exec_driver_sql("TRUNCATE effects")
        # Who is at work has it open, and goes on at its end.
        if self._heard.exists():
            os.truncate(self._heard, 0)

    async def caught_up(self, outbox: Outbox) -> None:
        """Return once everything is published and handled; WrongAnswer if it doesn't come to it."""
        await outbox.published()
        await self.emptied()

    async def emptied(self) -> None:
        """Return once the queue is empty; WrongAnswer when it doesn't come to that."""
        await until_nothing_waits(self.waiting, "handled")

    async def waiting(self) -> int:
        """How many messages there are in the queue, those in hand included."""
        return await _scalar(self.bus, "SELECT count(*) FROM messages WHERE queue = $1", NAME)

    async def require_once(self, events: Iterable[UUID]) -> None:
        """WrongAnswer unless each of these events had its effect once, and no other had one."""
        parked = await self.connection.exec_driver_sql(_PARKED)
        if (reason := parked.scalar_one_or_none()) is not None:
            raise WrongAnswer(f"An event could not be handled: {reason}")
        found = await self.connection.exec_driver_sql("SELECT event_id FROM effects")
        require_each_once(events, (event for (event,) in found), what="had its effect")

    def committed(self) -> Mapping[UUID, float]:
        """When the effect of each event was committed, in seconds since the epoch."""
        lines = (line.split() for line in self._heard.read_text("ascii").splitlines())
        return {UUID(event): float(at) for event, at in lines}

    @property
    def _heard(self) -> Path:
        return self.stage.layout.folder.service(NAME) / HEARD


@asynccontextmanager
async def unpublished(stage: Stage) -> AsyncGenerator[None]:
    """Booking's worker stands still until the body ends; what waits by then is published after."""
    async with stage.platform.stopped(BOOKING.worker_of(Colour.BLUE)):
        yield
    async with administrate(
        stage.platform.server.superuser_url(), database=BOOKING.name
    ) as connection:
        await until_nothing_waits(partial(_scalar, connection, _WAITING), "published")


def require_each_once(wanted: Iterable[UUID], found: Iterable[UUID], *, what: str) -> None:
    """WrongAnswer unless `found` holds each of `wanted` once, and nothing else."""
    times = Counter(found)
    missing = odd = 0
    for event in wanted:
        count = times.pop(event, 0)
        missing += count == 0
        odd += count > 1
    if missing or odd or times:
        raise WrongAnswer(
            f"Not every event {what} once: {missing} never, {odd} more often, "
            f"{len(times)} that nobody sent."
        )


async def until_nothing_waits(waiting: Callable[[], Awaitable[int]], what: str) -> None:
    """Ask `waiting` until it is 0; WrongAnswer once the number stands still for long."""
    left, since = await waiting(), time.monotonic()
    while left:
        await asyncio.sleep(POLL_SECONDS)
        now = await waiting()
        if now != left:
            left, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            raise WrongAnswer(f"{left} events are not {what}, and nothing moves any more.")


async def _scalar(connection: AsyncConnection, statement: str, *values: Any) -> int:
    result = await connection.exec_driver_sql(statement, values)
    return cast(int, result.scalar_one())
