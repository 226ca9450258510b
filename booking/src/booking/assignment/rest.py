"""The rest of a booking for which no truck was found in time: it is given up."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.expiry import BATCH, Patience
from booking.models import Booking
from booking.rows import SOURCE
from booking.transitions import tell_of
from booking.trips.progress import follow
from chassis.db import Database
from contracts.booking import BOOKING_REST_EXPIRED, BookingRestExpired

# As text, so that a plan that is kept sees that `ix_bookings_open` serves it.
_ON_ITS_WAY: Final = text("bookings.status IN ('assigned', 'in_progress')")


async def expire_rests(database: Database, patience: Patience, *, batch: int = BATCH) -> bool:
    """Give up the overdue rests of some bookings; True when there may be more."""
    at = datetime.now(UTC)
    statement = (
        select(Booking)
        .join(Coverage, Coverage.booking_id == Booking.id)
        .where(_ON_ITS_WAY, Coverage.open_mt > 0, patience.uncovered(at))
        .limit(batch)
        # Somebody is at work on it, finding a truck perhaps: left alone.
        .with_for_update(of=Booking, skip_locked=True)
    )
    async with database.begin() as session:
        bookings = (await session.scalars(statement)).all()
        for booking in bookings:
            await _give_up_rest(session, booking, at=at)
    return len(bookings) == batch


async def _give_up_rest(session: AsyncSession, booking: Booking, *, at: datetime) -> None:
    # Read again: what a truck took just before the lock the search hasn't seen.
    coverage = await session.get_one(Coverage, booking.id, populate_existing=True)
    open_mt = coverage.open_mt
    if open_mt <= 0:
        return
    coverage.given_up_mt += open_mt
    booking.count_change(at)
    await session.flush()
    told = BookingRestExpired(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        carried_mt=coverage.covered_mt,
        given_up_mt=open_mt,
        expired_at=at,
    )
    await tell_of(session, booking, BOOKING_REST_EXPIRED, told, at=at)
    await follow(session, booking, by=SOURCE, at=at)
