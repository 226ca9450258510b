"""Where a booking stands by its trips, and bringing it there."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.coverage import open_tons
from booking.models import Booking
from booking.statuses import Status
from booking.transitions import move
from booking.trips.models import Place, Trip, TripWeight
from booking.trips.steps import CANCELLABLE, TripStatus
from booking.trips.weights import tons
from contracts.booking import (
    BOOKING_COMPLETED,
    BOOKING_DELIVERED,
    BOOKING_STARTED,
    BOOKING_UNASSIGNED,
    BookingCompleted,
    BookingDelivered,
    BookingStarted,
    BookingUnassigned,
)

WAY: Final = (Status.ASSIGNED, Status.IN_PROGRESS, Status.DELIVERED, Status.COMPLETED)
_DONE: Final = frozenset({TripStatus.DELIVERED, TripStatus.CLOSED})


def standing(trips: Collection[TripStatus], open_mt: Decimal) -> Status:
    """Where a booking stands that has these trips, while trucks may be found for `open_mt` more."""
    live = [status for status in trips if status is not TripStatus.CANCELLED]
    if not live:
        return Status.CONFIRMED
    if all(status in CANCELLABLE for status in live):
        return Status.ASSIGNED
    if open_mt > 0 or not _DONE.issuperset(live):
        return Status.IN_PROGRESS
    if any(status is TripStatus.DELIVERED for status in live):
        return Status.DELIVERED
    return Status.COMPLETED


async def follow(session: AsyncSession, booking: Booking, *, by: str, at: datetime) -> None:
    """Move a locked booking, which has had trips, to where they have come.

    Status by status, so that none is passed over in its history and its events.
    """
    statuses = await session.scalars(select(Trip.status).where(Trip.booking_id == booking.id))
    open_mt = await open_tons(session, booking)
    target = standing(statuses.all(), open_mt)
    if target is Status.CONFIRMED:
        freed = BookingUnassigned(**_named(booking), open_mt=open_mt, unassigned_at=at)
        await move(session, booking, target, by=by, at=at, told=(BOOKING_UNASSIGNED, freed))
        return
    for status in WAY[WAY.index(booking.status) + 1 : WAY.index(target) + 1]:
        told = await _told(session, booking, status, at=at)
        await move(session, booking, status, by=by, at=at, told=told)


async def _told(
    session: AsyncSession, booking: Booking, status: Status, *, at: datetime
) -> tuple[str, BaseModel]:
    named = _named(booking)
    if status is Status.IN_PROGRESS:
        return BOOKING_STARTED, BookingStarted(**named, started_at=at)
    net = await _delivered_mt(session, booking)
    if status is Status.DELIVERED:
        return BOOKING_DELIVERED, BookingDelivered(**named, delivered_mt=net, delivered_at=at)
    return BOOKING_COMPLETED, BookingCompleted(**named, delivered_mt=net, completed_at=at)


async def _delivered_mt(session: AsyncSession, booking: Booking) -> Decimal:
    net_kg = await session.scalar(
        select(func.sum(TripWeight.gross_kg - TripWeight.tare_kg))
        .join(Trip, Trip.id == TripWeight.trip_id)
        .where(Trip.booking_id == booking.id, TripWeight.place == Place.DROP)
    )
    return tons(net_kg or 0)


def _named(booking: Booking) -> dict[str, Any]:
    return {
        "booking_id": booking.id,
        "tenant_id": booking.tenant_id,
        "shipper_id": booking.shipper_id,
    }
