"""What booking does when others tell of something.

Each handler runs in the transaction in which the event is noted as handled, so its effect happens
once. Events come late, twice and in any order; a handler looks at the booking, not at the order.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.positions import keep_position
from booking.errors import BookingNotFound
from booking.models import Booking
from booking.statuses import Status
from booking.transitions import lock_booking, move
from chassis.events import CloudEvent, Handler
from contracts.payment import (
    PAYMENT_DECLINED,
    PAYMENT_RESERVED,
    PaymentDeclined,
    PaymentReserved,
)
from contracts.positions import TRUCK_POSITION_SAMPLED

log = logging.getLogger(__name__)


async def confirm(session: AsyncSession, event: CloudEvent) -> None:
    """Payment stands behind a booking."""
    told = PaymentReserved.model_validate(event.data)
    await _answer(session, event, told.booking_id, told.tenant_id, Status.CONFIRMED)


async def reject(session: AsyncSession, event: CloudEvent) -> None:
    """Payment doesn't stand behind a booking."""
    told = PaymentDeclined.model_validate(event.data)
    await _answer(
        session, event, told.booking_id, told.tenant_id, Status.REJECTED, reason=told.reason
    )


async def _answer(
    session: AsyncSession,
    event: CloudEvent,
    booking_id: UUID,
    tenant_id: UUID,
    status: Status,
    *,
    reason: str | None = None,
) -> None:
    """Payment's first answer counts. What becomes of a later one payment learns from our events.

    Raises `BookingNotFound` for a booking that isn't there, so that the event is tried again.
    """
    booking = await lock_booking(session, Booking.id == booking_id, Booking.tenant_id == tenant_id)
    if booking is None:
        raise BookingNotFound(f"{event.type} speaks of booking {booking_id}, which is not there.")
    if booking.status is not Status.REQUESTED:
        log.warning(
            "payment's answer changes nothing",
            extra={"booking": str(booking.id), "status": booking.status, "event": event.type},
        )
        return
    await move(session, booking, status, by=event.source, at=datetime.now(UTC), reason=reason)


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        PAYMENT_RESERVED: confirm,
        PAYMENT_DECLINED: reject,
        TRUCK_POSITION_SAMPLED: keep_position,
    }
)
