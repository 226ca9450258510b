"""What becomes of trips when the booking that they are for is called off."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.errors import IllegalTransition
from booking.fleets.service import Caller
from booking.trips.access import named, note_change, tell
from booking.trips.models import Trip
from booking.trips.steps import CANCELLABLE, TripStatus
from contracts.trips import TRIP_CANCELLED, TripCancelled


async def call_off_trips(
    session: AsyncSession, booking_id: UUID, *, caller: Caller, at: datetime, reason: str | None
) -> None:
    """End every trip of a booking, whose row the caller's transaction holds.

    Raises `IllegalTransition` as soon as one truck is loaded: its load has to go somewhere.
    """
    trips = await session.scalars(
        select(Trip)
        .where(Trip.booking_id == booking_id, Trip.status != TripStatus.CANCELLED)
        .order_by(Trip.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for trip in trips.all():
        before = trip.status
        if before not in CANCELLABLE:
            raise IllegalTransition("A truck is loaded already.", status_now=before)
        trip.status = TripStatus.CANCELLED
        await note_change(
            session,
            trip,
            kind=TripStatus.CANCELLED,
            action="trip.cancel",
            caller=caller,
            at=at,
            data={"previous_status": before, "reason": reason},
        )
        told = TripCancelled(
            **named(trip),
            previous_status=before,
            load_mt=trip.load_mt,
            reason=reason,
            cancelled_by=caller.grant.principal.subject,
            cancelled_at=at,
        )
        await tell(session, trip, TRIP_CANCELLED, told)
