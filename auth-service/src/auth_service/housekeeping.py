"""What the worker clears away: whatever has been over for long enough that nobody asks for it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from auth_service.models import Base, LoginChallenge, Throttle, UserSession
from auth_service.realm import Clock
from auth_service.rotation import forget_retired
from chassis.db import Database

Where = ColumnElement[bool]

_BATCH: Final = 1000
_KEEP_CHALLENGES: Final = timedelta(days=1)
# Till then a used refresh token of an ended session is still recognised as one.
_KEEP_SESSIONS: Final = timedelta(days=7)
_KEEP_FAILURES: Final = timedelta(days=2)


def clearing(database: Database, *, clock: Clock) -> Callable[[], Awaitable[bool]]:
    """A worker's job: one batch a run; True when more is waiting. Safe to run at once."""

    async def clear() -> bool:
        now = clock()
        async with database.begin() as tx:
            await forget_retired(tx, now=now)
            counts = [await _delete(tx, *over) for over in _what_is_over(now)]
        return _BATCH in counts

    return clear


def _what_is_over(now: datetime) -> list[tuple[type[Base], InstrumentedAttribute[Any], Where]]:
    ended = UserSession.ended_at < now - _KEEP_SESSIONS
    expired = UserSession.expires_at < now - _KEEP_SESSIONS
    return [
        (LoginChallenge, LoginChallenge.id, LoginChallenge.expires_at < now - _KEEP_CHALLENGES),
        (UserSession, UserSession.id, or_(ended, expired)),
        (Throttle, Throttle.key, Throttle.last_failure_at < now - _KEEP_FAILURES),
    ]


async def _delete(
    tx: AsyncSession, table: type[Base], key: InstrumentedAttribute[Any], over: Where
) -> int:
    # What somebody holds at the moment waits for the next run.
    batch = select(key).where(over).limit(_BATCH).with_for_update(skip_locked=True)
    deleted = await tx.scalars(delete(table).where(key.in_(batch)).returning(key))
    return len(deleted.all())
