"""How much waits: in the outbox, among the dead letters, in the queue."""

from datetime import UTC, datetime
from typing import Final

from prometheus_client import Gauge
from sqlalchemy import text

from chassis.bus import Bus
from chassis.db import Database
from chassis.relay import OUTBOX, STEADY_PLANS

# So many are counted; beyond that, more wait than anybody needs to know exactly.
COUNTED: Final = 100_000

OUTBOX_WAITING: Final = Gauge("outbox_waiting", f"Events not published yet, up to {COUNTED}")
OUTBOX_OLDEST: Final = Gauge("outbox_oldest_seconds", "Age of the oldest of them")
DEAD_LETTERS_OPEN: Final = Gauge("dead_letters_open", "Dead letters not resolved yet", ["queue"])
QUEUE_WAITING: Final = Gauge(
    "queue_waiting", "Events in the queue, those in hand included", ["queue"]
)
QUEUE_OLDEST: Final = Gauge("queue_oldest_seconds", "Age of the oldest of them", ["queue"])

_WAITING: Final = text(
    """
    SELECT count(*) AS waiting, min(occurred_at) AS oldest FROM (
        SELECT occurred_at FROM outbox WHERE published_at IS NULL
        ORDER BY occurred_at LIMIT :counted
    ) AS unpublished
    """
)
_DEAD: Final = text(
    "SELECT queue, count(*) AS open FROM dead_letters WHERE resolved_at IS NULL GROUP BY queue"
)


async def measure_tables(database: Database, *, queue: str) -> bool:
    """Set what the service's own database tells. Returns False: it is done for now."""
    async with database.begin() as session:
        await session.execute(text(STEADY_PLANS))
        outbox = (await session.execute(_WAITING, {"counted": COUNTED})).one()
        dead = {row.queue: row.open for row in await session.execute(_DEAD)}
    OUTBOX_WAITING.set(outbox.waiting)
    age = 0.0 if outbox.oldest is None else (datetime.now(UTC) - outbox.oldest).total_seconds()
    OUTBOX_OLDEST.set(max(0.0, age))
    for name in {OUTBOX, queue, *dead}:
        DEAD_LETTERS_OPEN.labels(name).set(dead.get(name, 0))
    return False


async def measure_queue(bus: Bus, *, queue: str) -> bool:
    """Set what the bus tells. Returns False: it is done for now."""
    backlog = await bus.backlog(queue)
    QUEUE_WAITING.labels(queue).set(backlog.waiting)
    QUEUE_OLDEST.labels(queue).set(backlog.oldest_seconds)
    return False
