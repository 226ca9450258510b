from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.schema_v3 import INBOX_KEEP_DAYS

NOTE = text("INSERT INTO inbox (source, id, occurred_on) VALUES ('/s', :id, :day)")
EVENT = "00000000-0000-7000-8000-000000000001"
LETTER = (
    "INSERT INTO dead_letters (id, queue, body, reason, error, attempts)"
    " VALUES (gen_random_uuid(), 'q', 'b', '{reason}', 'e', {attempts})"
)


@pytest.mark.parametrize("age", [-20, -7, 0, 1, INBOX_KEEP_DAYS])
async def test_a_day_knows_an_event_once(session: AsyncSession, age: int) -> None:
    """Whether it has a partition of its own or not."""
    noted = {"id": EVENT, "day": (datetime.now(UTC) - timedelta(days=age)).date()}
    await session.execute(NOTE, noted)
    with pytest.raises(IntegrityError):
        await session.execute(NOTE, noted)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM inbox",
        "UPDATE inbox SET handled_at = now()",
        "DELETE FROM dead_letters",
        "UPDATE dead_letters SET body = ''",
        "UPDATE worker_lease SET colour = 'green'",
    ],
)
async def test_the_runtime_role_may_not(session: AsyncSession, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        LETTER.format(reason="because", attempts=1),
        LETTER.format(reason="failed", attempts=0),
        "INSERT INTO worker_lease VALUES (gen_random_uuid(), 'red', now())",
    ],
)
async def test_nonsense_is_refused(session: AsyncSession, statement: str) -> None:
    with pytest.raises(IntegrityError):
        await session.execute(text(statement))


async def test_the_same_event_is_open_once_in_a_queue(session: AsyncSession) -> None:
    letter = text(LETTER.format(reason="failed", attempts=1))
    await session.execute(letter)
    with pytest.raises(IntegrityError):
        async with session.begin_nested():
            await session.execute(letter)
    await session.execute(text("UPDATE dead_letters SET resolved_at = now()"))
    await session.execute(letter)
