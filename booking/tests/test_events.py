"""What payment's answers make of a booking, in whatever order and however often they come."""

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.errors import BookingNotFound
from booking.events import HANDLERS
from booking.models import Booking, StatusChange
from booking.statuses import Status
from chassis.events import CloudEvent
from contracts.booking import (
    BOOKING_CONFIRMED,
    BOOKING_REJECTED,
    BookingConfirmed,
    BookingRejected,
)

from .answers import declined, reserved
from .rows import booking_row, events_of, in_status


async def handle(session: AsyncSession, event: CloudEvent) -> None:
    await HANDLERS[event.type](session, event)


async def steps_of(session: AsyncSession, booking: Booking) -> list[tuple[int, str, str | None]]:
    found = await session.scalars(
        select(StatusChange)
        .where(StatusChange.booking_id == booking.id)
        .order_by(StatusChange.version)
    )
    return [(step.version, step.to_status, step.reason) for step in found]


async def test_reserved_money_confirms(session: AsyncSession) -> None:
    booking = await in_status(session, Status.REQUESTED)
    await handle(session, reserved(booking))
    assert (booking.status, booking.version) == (Status.CONFIRMED, 5)
    assert await steps_of(session, booking) == [(5, "confirmed", None)]
    [event] = await events_of(session, str(booking.id))
    assert (event["type"], event["aggregate_version"]) == (BOOKING_CONFIRMED, 5)
    told = BookingConfirmed.model_validate(event["data"])
    assert (told.booking_id, told.tenant_id) == (booking.id, booking.tenant_id)


async def test_declined_money_rejects_and_says_why(session: AsyncSession) -> None:
    booking = await in_status(session, Status.REQUESTED)
    await handle(session, declined(booking, reason="Credit limit reached"))
    assert (booking.status, booking.version) == (Status.REJECTED, 5)
    assert await steps_of(session, booking) == [(5, "rejected", "Credit limit reached")]
    [event] = await events_of(session, str(booking.id))
    assert event["type"] == BOOKING_REJECTED
    assert BookingRejected.model_validate(event["data"]).reason == "Credit limit reached"


@pytest.mark.parametrize("answer", [reserved, declined])
@pytest.mark.parametrize("status", [status for status in Status if status != Status.REQUESTED])
async def test_a_late_answer_changes_nothing(
    session: AsyncSession, caplog: pytest.LogCaptureFixture, answer: Any, status: Status
) -> None:
    booking = await in_status(session, status)
    with caplog.at_level(logging.WARNING):
        await handle(session, answer(booking))
    assert (booking.status, booking.version) == (status, 4)
    assert not await events_of(session, str(booking.id))
    assert "changes nothing" in caplog.text


@pytest.mark.parametrize("first", [reserved, declined])
async def test_twice_and_contradicted_the_first_answer_stands(
    session: AsyncSession, first: Any
) -> None:
    booking = await in_status(session, Status.REQUESTED)
    await handle(session, first(booking))
    stands = booking.status
    for later in (first, reserved, declined):
        await handle(session, later(booking))
    assert (booking.status, booking.version) == (stands, 5)
    assert len(await events_of(session, str(booking.id))) == 1


@pytest.mark.parametrize("answer", [reserved, declined])
async def test_an_answer_that_overtakes_its_booking_is_tried_again(
    session: AsyncSession, answer: Any
) -> None:
    booking = booking_row()
    with pytest.raises(BookingNotFound):
        await handle(session, answer(booking))
    session.add(booking)
    await session.flush()
    await handle(session, answer(booking))
    assert booking.version == 2


async def test_an_answer_for_another_tenant_changes_nothing(session: AsyncSession) -> None:
    booking = await in_status(session, Status.REQUESTED)
    event = reserved(booking)
    event = event.model_copy(update={"data": {**event.data, "tenant_id": str(uuid4())}})
    with pytest.raises(BookingNotFound):
        await handle(session, event)
    assert booking.status == Status.REQUESTED


async def test_what_was_read_before_is_read_again(session: AsyncSession) -> None:
    booking = await in_status(session, Status.REQUESTED)
    await session.execute(
        text("UPDATE bookings SET status = 'cancelled', version = 9 WHERE id = :id"),
        {"id": booking.id},
    )
    await handle(session, reserved(booking))
    assert (booking.status, booking.version) == (Status.CANCELLED, 9)


@pytest.mark.parametrize("event_type", list(HANDLERS))
async def test_nonsense_is_refused(session: AsyncSession, event_type: str) -> None:
    event = CloudEvent(
        id=uuid4(),
        source="/payment",
        type=event_type,
        subject="nonsense",
        time=datetime.now(UTC),
        aggregateversion=1,
        data={"booking_id": "b-17"},
    )
    with pytest.raises(ValidationError):
        await handle(session, event)
