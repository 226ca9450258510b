"""Bids that nobody can take any more: the worker ends them, and so does a try to take one."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import OPEN, Coverage
from booking.bids.models import Bid, BidStatus
from booking.bids.rules import why_gone
from booking.bids.telling import named, tell
from booking.models import Booking
from chassis.db import Database
from contracts.bids import BID_LAPSED, BidLapsed

BATCH: Final = 100


async def lapse(session: AsyncSession, bid: Bid, *, at: datetime, reason: str) -> None:
    """End a locked bid that is open, and tell the fleet why."""
    bid.end(BidStatus.LAPSED, at=at, reason=reason)
    await session.flush()
    await tell(session, bid, BID_LAPSED, BidLapsed(**named(bid), reason=reason, lapsed_at=at))


async def lapse_bids(database: Database) -> bool:
    """End a batch of what is over; whether more may be. Several may run at once.

    A bid that is being answered is left to whoever answers it.
    """
    open_mt = func.coalesce(Coverage.open_mt, Booking.quantity_mt)
    at = datetime.now(UTC)
    statement = (
        select(Bid, Booking.status, open_mt)
        .join(Booking, Booking.id == Bid.booking_id)
        .outerjoin(Coverage, Coverage.booking_id == Bid.booking_id)
        .where(
            text("bids.status = 'open'"),
            or_(Bid.valid_until <= at, Booking.status.not_in(OPEN), open_mt < Bid.load_mt),
        )
        .limit(BATCH)
        .with_for_update(of=Bid, skip_locked=True)
    )
    async with database.begin() as session:
        rows = (await session.execute(statement)).all()
        for bid, status, left in rows:
            reason = why_gone(
                valid_until=bid.valid_until,
                load_mt=bid.load_mt,
                status=status,
                open_mt=left,
                at=at,
            )
            if reason is not None:
                await lapse(session, bid, at=at, reason=reason)
    return len(rows) == BATCH
