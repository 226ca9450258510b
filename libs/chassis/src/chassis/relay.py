"""The relay: takes events from the outbox to the bus.

A batch is claimed, published and marked in one transaction. Whatever ends it half-way lets the
claim go, and the batch is published again: at least once, never not at all. Claiming takes whatever
nobody else has claimed: a cursor over ids or times would pass by what was committed late.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from prometheus_client import Counter
from pydantic import ValidationError
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.bus import Bus, EventTooLarge
from chassis.db import Database
from chassis.dead_letters import (
    DeadLetter,
    Reason,
    claim_replay,
    describe,
    park,
    put_back,
    resolve,
)
from chassis.events import CloudEvent, event_from_row

OUTBOX: Final = "outbox"

PUBLISHED: Final = Counter("outbox_published_total", "Events taken to the bus")

# Plans are kept, and the first are made over empty partitions, where reading and sorting everything
# is cheapest. These leave only the way by the index of what waits, and by the primary key.
STEADY_PLANS: Final = """
    SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('enable_sort', 'off', true)
"""
CLAIM: Final = """
    SELECT * FROM outbox WHERE published_at IS NULL
    ORDER BY occurred_at LIMIT :size FOR UPDATE SKIP LOCKED
"""
_MARK: Final = """
    UPDATE outbox SET published_at = clock_timestamp()
    WHERE created_on = :day AND id = ANY (CAST(:ids AS uuid[]))
"""
_WAIT_AGAIN: Final = """
    UPDATE outbox SET published_at = NULL
    WHERE created_on = CAST(CAST(:day AS text) AS date) AND id = CAST(CAST(:id AS text) AS uuid)
    RETURNING id
"""


class Relay:
    """Publishes one service's outbox. Several may run at once, also in several processes."""

    def __init__(self, database: Database, bus: Bus, *, batch_size: int = 500) -> None:
        self._database = database
        self._bus = bus
        self._batch_size = batch_size

    async def run(self) -> bool:
        """Publish one batch, oldest first; True when more is waiting.

        An event that can't be published goes to the dead letters, and the others go on.
        """
        async with self._database.begin() as session:
            await session.execute(text(STEADY_PLANS))
            claimed = await session.execute(text(CLAIM), {"size": self._batch_size})
            rows = claimed.mappings().all()
            if not rows:
                return False
            dead = await self._publish(rows)
            for letter in dead:
                await park(session, OUTBOX, letter)
            await _mark(session, rows)
        PUBLISHED.inc(len(rows) - len(dead))
        return len(rows) >= self._batch_size

    async def requeue(self) -> bool:
        """Let a dead letter of the outbox whose replay was asked for wait to be published again.

        True when there was one.
        """
        async with self._database.begin() as session:
            letter = await claim_replay(session, OUTBOX)
            if letter is None:
                return False
            row = json.loads(letter.body)
            asked = {"day": row["created_on"], "id": row["id"]}
            if (await session.execute(text(_WAIT_AGAIN), asked)).first() is not None:
                await resolve(session, letter.id)
            else:
                gone = "The outbox doesn't hold it any more."
                await put_back(session, letter.id, reason=Reason.UNPUBLISHABLE, error=gone)
        return True

    async def _publish(self, rows: Sequence[RowMapping]) -> list[DeadLetter]:
        """Publish what can be; what can't is returned."""
        events: dict[uuid.UUID, CloudEvent] = {}
        dead: list[DeadLetter] = []
        for row in rows:
            try:
                events[row["id"]] = event_from_row(row)
            except ValidationError as error:
                dead.append(_dead(row, error))
        while events:
            try:
                await self._bus.publish(list(events.values()))
            except EventTooLarge as error:
                del events[error.event_id]
                dead += [_dead(row, error) for row in rows if row["id"] == error.event_id]
            else:
                break
        return dead


async def _mark(session: AsyncSession, rows: Sequence[RowMapping]) -> None:
    days: defaultdict[date, list[uuid.UUID]] = defaultdict(list)
    for row in rows:
        days[row["created_on"]].append(row["id"])
    for day, ids in days.items():
        await session.execute(text(_MARK), {"day": day, "ids": ids})


def _dead(row: RowMapping, error: Exception) -> DeadLetter:
    return DeadLetter(
        body=json.dumps(dict(row), default=_plain).encode(),
        type=row["type"],
        reason=Reason.UNPUBLISHABLE,
        error=describe(error),
        attempts=1,
    )


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)
