"""Trips whose truck never came: the worker calls them off, so that others may take their load."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select, text

from booking.expiry import BATCH
from booking.models import Booking
from booking.rows import SOURCE
from booking.trips.calling_off import end_trip
from booking.trips.models import Trip
from booking.trips.progress import follow
from chassis.db import Database

# Trucks are late by hours every day; after a day nobody waits for one any more.
NO_SHOW: Final = timedelta(hours=24)
REASON: Final = "The truck didn't come to the pickup"
# As text, so that a plan that is kept sees that `ix_trips_not_come` serves it.
_NOT_COME: Final = text("trips.status IN ('assigned', 'accepted')")


async def call_off_no_shows(
    database: Database, *, patience: timedelta = NO_SHOW, batch: int = BATCH
) -> bool:
    """Call off some trips whose pickup is long over; True when there may be more.

    It is over `patience` after the truck was to be there, and after the booking's pickup window.
    """
    at = datetime.now(UTC)
    overdue = at - patience
    statement = (
        select(Booking, Trip)
        .join(Trip, Trip.booking_id == Booking.id)
        .where(
            _NOT_COME,
            func.lower(Trip.planned) <= overdue,
            or_(Booking.pickup_until.is_(None), Booking.pickup_until <= overdue),
        )
        .limit(batch)
        # Somebody is at work on it, arriving perhaps, or another worker: left alone.
        .with_for_update(of=(Booking, Trip), skip_locked=True)
    )
    async with database.begin() as session:
        found = (await session.execute(statement)).all()
        for booking, trip in found:
            await end_trip(session, booking, trip, by=SOURCE, at=at, reason=REASON)
            await follow(session, booking, by=SOURCE, at=at)
    return len(found) == batch
