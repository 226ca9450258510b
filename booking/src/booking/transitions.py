"""A booking's change of status, written whole: the row, its step in the history, and its event."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking, StatusChange
from booking.rows import SOURCE, cancelled_event
from booking.statuses import Status
from chassis.events import record_event
from contracts.booking import (
    BOOKING_CANCELLED,
    BOOKING_CONFIRMED,
    BOOKING_EXPIRED,
    BOOKING_REJECTED,
    BookingConfirmed,
    BookingExpired,
    BookingRejected,
)


def confirmed_event(booking: Booking, change: StatusChange) -> BookingConfirmed:
    """What others are told when payment stands behind a booking."""
    return BookingConfirmed(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        confirmed_at=change.changed_at,
    )


def rejected_event(booking: Booking, change: StatusChange) -> BookingRejected:
    """What others are told when payment doesn't."""
    return BookingRejected(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        reason=change.reason,
        rejected_at=change.changed_at,
    )


def expired_event(booking: Booking, change: StatusChange) -> BookingExpired:
    """What others are told when a booking waited in vain."""
    return BookingExpired(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        previous_status=change.from_status,
        expired_at=change.changed_at,
    )


_TOLD: Final[Mapping[Status, tuple[str, Callable[[Booking, StatusChange], BaseModel]]]] = (
    MappingProxyType(
        {
            Status.CONFIRMED: (BOOKING_CONFIRMED, confirmed_event),
            Status.REJECTED: (BOOKING_REJECTED, rejected_event),
            Status.CANCELLED: (BOOKING_CANCELLED, cancelled_event),
            Status.EXPIRED: (BOOKING_EXPIRED, expired_event),
        }
    )
)


async def lock_booking(session: AsyncSession, *conditions: ColumnElement[bool]) -> Booking | None:
    """The booking that these conditions name, as it is now; nobody else changes it meanwhile."""
    return await session.scalar(
        select(Booking)
        .where(*conditions)
        .with_for_update()
        # Read earlier in this session it would else be shown as it was then.
        .execution_options(populate_existing=True)
    )


async def tell_of(
    session: AsyncSession, booking: Booking, type: str, data: BaseModel, *, at: datetime
) -> None:
    """Write what others are told of a booking as it is after a change."""
    await record_event(
        session,
        source=SOURCE,
        type=type,
        subject=booking.id,
        tenant_id=booking.tenant_id,
        aggregate_version=booking.version,
        data=data,
        occurred_at=at,
    )


async def move(
    session: AsyncSession,
    booking: Booking,
    status: Status,
    *,
    by: str,
    at: datetime,
    reason: str | None = None,
    told: tuple[str, BaseModel] | None = None,
) -> StatusChange:
    """Change the status of a locked booking, and tell of it in the same transaction.

    `told` is the event's type and data, where it says more than the change does. Raises
    `IllegalTransition`, and then nothing changed.
    """
    change = booking.move_to(status, by=by, at=at, reason=reason)
    session.add(change)
    await session.flush()
    if told is None:
        type_, describe = _TOLD[status]
        told = type_, describe(booking, change)
    await tell_of(session, booking, *told, at=at)
    return change
