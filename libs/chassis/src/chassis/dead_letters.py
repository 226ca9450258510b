"""Dead letters: events that could not be handled or published, kept for an operator.

Asking for a replay only leaves a mark; the worker of the service finds it and tries again.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from chassis.redaction import redact_text

_LONGEST_ERROR: Final = 500
_LONGEST_TYPE: Final = 200

DEAD_LETTERS: Final = Table(
    "dead_letters",
    MetaData(),
    Column("id", Uuid(), primary_key=True),
    Column("queue", Text(), nullable=False),
    Column("body", LargeBinary(), nullable=False),
    Column("type", Text()),
    Column("reason", Text(), nullable=False),
    Column("error", Text(), nullable=False),
    Column("attempts", Integer(), nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("replay_requested_at", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
)


class Reason(StrEnum):
    """Why an event was parked."""

    NONSENSE = "nonsense"
    UNKNOWN_TYPE = "unknown_type"
    TOO_OLD = "too_old"
    FAILED = "failed"
    UNPUBLISHABLE = "unpublishable"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """What is to be parked. `body` is the event as it came, `error` for a person to read."""

    body: bytes
    type: str | None
    reason: Reason
    error: str
    attempts: int


class Claimed(NamedTuple):
    """A dead letter to be tried again."""

    id: uuid.UUID
    body: bytes


def describe(error: Exception) -> str:
    """An error in one line, without secrets and without SQL."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first_line = str(cause).strip().partition("\n")[0]
    return redact_text(f"{type(cause).__name__}: {first_line}")[:_LONGEST_ERROR]


async def park(session: AsyncSession, queue: str, letter: DeadLetter) -> None:
    """Keep it for an operator. Parked again while it is open, it is the same dead letter."""
    # Text columns hold no NUL, and an error or a type may come from anywhere.
    kind = None if letter.type is None else letter.type.replace("\0", "")[:_LONGEST_TYPE]
    statement = insert(DEAD_LETTERS).values(
        id=new_id(),
        queue=queue,
        body=letter.body,
        type=kind,
        reason=letter.reason,
        error=letter.error.replace("\0", ""),
        attempts=letter.attempts,
    )
    again = {
        "reason": statement.excluded.reason,
        "error": statement.excluded.error,
        "attempts": func.greatest(DEAD_LETTERS.c.attempts, statement.excluded.attempts),
        "last_at": statement.excluded.last_at,
    }
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["queue", "body_digest"],
            index_where=DEAD_LETTERS.c.resolved_at.is_(None),
            set_=again,
        )
    )


async def claim_replay(session: AsyncSession, queue: str) -> Claimed | None:
    """A dead letter to be tried again in this transaction; no other worker gets it."""
    found = await session.execute(
        select(DEAD_LETTERS.c.id, DEAD_LETTERS.c.body)
        .where(
            DEAD_LETTERS.c.queue == queue,
            DEAD_LETTERS.c.replay_requested_at.is_not(None),
            DEAD_LETTERS.c.resolved_at.is_(None),
        )
        .order_by(DEAD_LETTERS.c.replay_requested_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = found.one_or_none()
    return None if row is None else Claimed(row.id, row.body)


async def resolve(session: AsyncSession, letter_id: uuid.UUID) -> None:
    """It is done with."""
    await session.execute(
        update(DEAD_LETTERS)
        .where(DEAD_LETTERS.c.id == letter_id)
        .values(resolved_at=func.clock_timestamp())
    )


async def put_back(
    session: AsyncSession, letter_id: uuid.UUID, *, reason: Reason, error: str
) -> None:
    """The replay failed; it waits for an operator again."""
    await session.execute(
        update(DEAD_LETTERS)
        .where(DEAD_LETTERS.c.id == letter_id)
        .values(
            reason=reason,
            error=error.replace("\0", ""),
            attempts=DEAD_LETTERS.c.attempts + 1,
            last_at=func.clock_timestamp(),
            replay_requested_at=None,
        )
    )
