"""Trips that are called off: one alone, or all of a booking that is called off itself."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.coverage import uncover
from booking.errors import IllegalTransition
from booking.fleets.service import Caller
from booking.models import Booking
from booking.trips.access import lock_trip_of_booking, named, note_change, reached_by, tell
from booking.trips.errors import NotCancellable
from booking.trips.models import Trip
from booking.trips.progress import follow
from booking.trips.steps import CANCELLABLE, TripStatus
from chassis.access import Scope
from chassis.etags import IfMatch
from contracts.trips import TRIP_CANCELLED, TripCancelled


async def call_off_trip(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    reason: str | None,
) -> Trip:
    """End a trip, whose load trucks may be found for again. A driver declines, before accepting.

    Raises `NotCancellable`.
    """
    booking, trip = await lock_trip_of_booking(session, trip_id, reached_by(caller.grant))
    if seen is not None:
        seen.require(trip.version)
    if trip.status not in CANCELLABLE:
        raise NotCancellable(f"It is {trip.status}.", status_now=trip.status)
    if caller.grant.scope is Scope.ASSIGNED and trip.status is not TripStatus.ASSIGNED:
        raise NotCancellable(
            "It is accepted: the fleet's owner calls it off.", status_now=trip.status
        )
    at, by = datetime.now(UTC), caller.grant.principal.subject
    await end_trip(session, booking, trip, by=by, source_ip=caller.source_ip, at=at, reason=reason)
    await follow(session, booking, by=by, at=at)
    return trip


async def call_off_trips(
    session: AsyncSession,
    booking: Booking,
    *,
    caller: Caller,
    at: datetime,
    reason: str | None,
) -> None:
    """End every trip of a booking that is called off, whose row the caller's transaction holds.

    Raises `IllegalTransition` as soon as one truck is loaded: its load has to go somewhere.
    """
    trips = await session.scalars(
        select(Trip)
        .where(Trip.booking_id == booking.id, Trip.status != TripStatus.CANCELLED)
        .order_by(Trip.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for trip in trips.all():
        if trip.status not in CANCELLABLE:
            raise IllegalTransition("A truck is loaded already.", status_now=trip.status)
        await end_trip(
            session,
            booking,
            trip,
            by=caller.grant.principal.subject,
            source_ip=caller.source_ip,
            at=at,
            reason=reason,
        )


async def end_trip(
    session: AsyncSession,
    booking: Booking,
    trip: Trip,
    *,
    by: str,
    source_ip: IPv4Address | IPv6Address | None = None,
    at: datetime,
    reason: str | None,
) -> None:
    """Call off a trip that is `CANCELLABLE`; its row and the booking's are the caller's."""
    before, trip.status = trip.status, TripStatus.CANCELLED
    await note_change(
        session,
        trip,
        kind=TripStatus.CANCELLED,
        action="trip.cancel",
        by=by,
        source_ip=source_ip,
        at=at,
        data={"previous_status": before, "reason": reason},
    )
    await uncover(session, booking, trip.load_mt)
    told = TripCancelled(
        **named(trip),
        previous_status=before,
        load_mt=trip.load_mt,
        reason=reason,
        cancelled_by=by,
        cancelled_at=at,
    )
    await tell(session, trip, TRIP_CANCELLED, told)
