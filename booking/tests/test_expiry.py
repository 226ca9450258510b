"""Bookings that waited in vain expire, each once, whoever looks and however often."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.expiry import Expiry, Patience
from booking.models import Booking, StatusChange
from booking.statuses import Status
from chassis.db import Database
from chassis.testing.databases import TestDatabase
from contracts.booking import BOOKING_EXPIRED, BookingExpired

from .rows import booking_row, events_of

NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATIENCE = Patience(payment=DAY, cover=30 * DAY)


def waiting(status: Status = Status.REQUESTED, *, age: timedelta, **window: Any) -> Booking:
    """A booking of this age; its window ends so long from now."""
    times: dict[str, Any] = {}
    if window:
        end = NOW + window["ends_in"]
        times = {"pickup_from": end - 2 * HOUR, "pickup_until": end}
    return booking_row(status=status, created_at=NOW - age, **times)


async def expired(database: Database, session: AsyncSession, booking: Booking) -> bool:
    session.add(booking)
    await session.flush()
    assert await Expiry(database, PATIENCE).run() is False
    await session.refresh(booking)
    return booking.status == Status.EXPIRED


@pytest.mark.parametrize(
    ("booking", "expires"),
    [
        (waiting(age=DAY + HOUR), True),
        (waiting(age=DAY - HOUR), False),
        (waiting(age=DAY - HOUR, ends_in=-HOUR), True),
        (waiting(age=DAY + HOUR, ends_in=9 * DAY), True),
        (waiting(Status.CONFIRMED, age=29 * DAY), False),
        (waiting(Status.CONFIRMED, age=31 * DAY), True),
        (waiting(Status.CONFIRMED, age=31 * DAY, ends_in=HOUR), False),
        (waiting(Status.CONFIRMED, age=DAY, ends_in=-HOUR), True),
        *(
            (waiting(status, age=90 * DAY, ends_in=-80 * DAY), status == Status.EXPIRED)
            for status in Status
            if status not in (Status.REQUESTED, Status.CONFIRMED)
        ),
    ],
)
async def test_who_expires(
    rollback_database: Database, session: AsyncSession, booking: Booking, expires: bool
) -> None:
    copied = Booking(
        **{column.key: getattr(booking, column.key) for column in Booking.__table__.columns}
    )
    assert await expired(rollback_database, session, copied) == expires


async def test_it_is_told_and_can_be_read_why(
    rollback_database: Database, session: AsyncSession
) -> None:
    booking = waiting(age=2 * DAY)
    assert await expired(rollback_database, session, booking)
    assert booking.version == 2
    [event] = await events_of(session, str(booking.id))
    assert (event["type"], event["aggregate_version"]) == (BOOKING_EXPIRED, 2)
    assert BookingExpired.model_validate(event["data"]).previous_status == "requested"
    step = await session.get_one(StatusChange, (booking.id, 2))
    assert (step.changed_by, step.reason) == ("/booking", "Payment gave no answer in time")


async def test_twice_is_once(rollback_database: Database, session: AsyncSession) -> None:
    booking = waiting(age=2 * DAY)
    assert await expired(rollback_database, session, booking)
    assert await Expiry(rollback_database, PATIENCE).run() is False
    assert len(await events_of(session, str(booking.id))) == 1


async def test_batch_by_batch(rollback_database: Database, session: AsyncSession) -> None:
    session.add_all([waiting(age=2 * DAY) for _ in range(5)])
    await session.flush()
    expiry = Expiry(rollback_database, PATIENCE, batch=2)
    assert [await expiry.run() for _ in range(3)] == [True, True, False]


@pytest.fixture
async def committing(database: TestDatabase) -> AsyncGenerator[Database]:
    connected = Database.connect(database.url, name="booking")
    yield connected
    await connected.dispose()


async def test_several_at_once_expire_each_booking_once(committing: Database) -> None:
    async with committing.begin() as session:
        session.add_all([waiting(age=2 * DAY) for _ in range(20)])
    runs = [Expiry(committing, PATIENCE, batch=3) for _ in range(4)]
    while any(await asyncio.gather(*(each.run() for each in runs))):
        pass
    async with committing.begin() as session:
        found = await session.execute(text("SELECT count(*), count(DISTINCT subject) FROM outbox"))
        assert found.one() == (20, 20)


async def test_what_somebody_is_at_work_on_is_left_alone(committing: Database) -> None:
    booking = waiting(age=2 * DAY)
    async with committing.begin() as session:
        session.add(booking)
    async with committing.begin() as session:
        await session.execute(select(Booking).where(Booking.id == booking.id).with_for_update())
        async with asyncio.timeout(5):
            await Expiry(committing, PATIENCE).run()
        await session.execute(
            text("UPDATE bookings SET status = 'confirmed' WHERE id = :id"), {"id": booking.id}
        )
    await Expiry(committing, PATIENCE).run()
    async with committing.begin() as session:
        kept = await session.get_one(Booking, booking.id)
        assert kept.status == Status.CONFIRMED


async def test_the_indexes_serve_it(session: AsyncSession) -> None:
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    for _reason, overdue in PATIENCE.overdue(NOW):
        query = select(Booking.id).where(overdue).limit(10)
        compiled = query.compile(
            dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True}
        )
        plan = "\n".join((await session.scalars(text(f"EXPLAIN {compiled}"))).all())
        assert "ix_bookings_waiting" in plan or "ix_bookings_pickup_until" in plan, plan
