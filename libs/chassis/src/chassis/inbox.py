"""The inbox: an event's effect and the note that it was handled are committed together.

Whoever finds the note there has nothing left to do. Whoever writes it first makes others wait until
it is committed, or rolled back.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.events import CloudEvent
from chassis.schema_v3 import INBOX_KEEP_DAYS

# A day less than notes are kept, for clocks that differ.
_REMEMBERED: Final = timedelta(days=INBOX_KEEP_DAYS - 1)

NOTE: Final = """
    INSERT INTO inbox (source, id, occurred_on)
    SELECT * FROM unnest(
        CAST(:sources AS text[]), CAST(:ids AS uuid[]), CAST(:days AS date[])
    )
    ON CONFLICT DO NOTHING
    RETURNING source, id
"""


def is_remembered(event: CloudEvent) -> bool:
    """Whether the inbox would still know of it. Older events can't be told from handled ones."""
    return datetime.now(UTC) - event.time < _REMEMBERED


async def note(session: AsyncSession, events: Sequence[CloudEvent]) -> list[CloudEvent]:
    """Note that these events are handled; those of them that weren't before, each once."""
    # In one order everywhere: two that note the same events in opposite orders would deadlock.
    keys = sorted({_key(event) for event in events})
    sources, ids, days = zip(*keys, strict=True)
    noted = await session.execute(
        text(NOTE), {"sources": list(sources), "ids": list(ids), "days": list(days)}
    )
    fresh: set[tuple[str, uuid.UUID]] = {(row.source, row.id) for row in noted}
    chosen: list[CloudEvent] = []
    for event in events:
        if (event.source, event.id) in fresh:
            fresh.remove((event.source, event.id))
            chosen.append(event)
    return chosen


def _key(event: CloudEvent) -> tuple[str, uuid.UUID, date]:
    return event.source, event.id, event.time.date()
