"""Use cases of whoever booked: reading the bids on a booking, taking one, turning one down.

Booking, bid, truck and driver are locked in this order, as assignment does it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.coverage import open_tons
from booking.assignment.errors import LoadCovered
from booking.assignment.plan import planned
from booking.assignment.service import assign
from booking.bids.bidding import lock_bid
from booking.bids.errors import AboveShare, BidGone
from booking.bids.lapse import lapse
from booking.bids.models import Bid, BidStatus
from booking.bids.rules import why_gone
from booking.bids.schemas import BidFilter
from booking.bids.telling import audit, named, tell
from booking.errors import BookingNotFound
from booking.fleets.fitness import Window
from booking.fleets.kinds import TruckType
from booking.fleets.models import Truck
from booking.fleets.pairs import lock_pair
from booking.fleets.service import Caller
from booking.models import Booking
from booking.pricing import share_paise
from booking.service import reached_by
from booking.transitions import lock_booking
from booking.trips.errors import DriverBusy, NotFit, TruckBusy
from booking.trips.models import Trip
from chassis.access import Grant, Scope
from chassis.pagination import keyset
from contracts.bids import BID_ACCEPTED, BID_DECLINED, BidAccepted, BidDeclined


async def bids_on(
    session: AsyncSession, *, grant: Grant, booking_id: UUID, wanted: BidFilter
) -> tuple[Booking, Sequence[tuple[Bid, TruckType]]]:
    """The booking, and a page and one more of its bids, newest first."""
    booking = await session.scalar(
        select(Booking).where(Booking.id == booking_id, reached_by(grant))
    )
    if booking is None:
        raise BookingNotFound
    statement = select(Bid).where(Bid.booking_id == booking_id)
    if wanted.status is not None:
        statement = statement.where(Bid.status == wanted.status)
    page = keyset(
        statement, at=Bid.created_at, row_id=Bid.id, cursor=wanted.cursor, limit=wanted.limit
    )
    bids = (await session.scalars(page)).all()
    found = await session.execute(
        select(Truck.id, Truck.truck_type).where(Truck.id.in_([bid.truck_id for bid in bids]))
    )
    types = {row.id: row.truck_type for row in found}
    return booking, [(bid, types[bid.truck_id]) for bid in bids]


async def accept_bid(
    session: AsyncSession, *, caller: Caller, booking_id: UUID, bid_id: UUID, km_per_day: int
) -> Bid | BidGone:
    """Hold the bid's truck and driver for its part of the booking, for its price.

    A bid that can't be taken any more lapses, which has to be committed: so `BidGone` is returned.
    """
    booking, bid = await _locked(session, caller.grant, booking_id, bid_id)
    bid.check_open()
    at = datetime.now(UTC)
    gone = why_gone(
        valid_until=bid.valid_until,
        load_mt=bid.load_mt,
        status=booking.status,
        open_mt=await open_tons(session, booking),
        at=at,
    )
    if gone is None:
        _check_price(caller.grant, booking, bid)
        window = planned(bid.pickup_at, distance_m=booking.distance_m, km_per_day=km_per_day)
        assigned = await _assign(session, caller, booking, bid, window)
        if isinstance(assigned, Trip):
            return await _accepted(session, caller, bid, assigned, at=at)
        gone = assigned
    await lapse(session, bid, at=at, reason=gone)
    return BidGone(gone, reason=gone)


async def decline_bid(
    session: AsyncSession, *, caller: Caller, booking_id: UUID, bid_id: UUID, reason: str | None
) -> Bid:
    """Turn an open bid down."""
    _, bid = await _locked(session, caller.grant, booking_id, bid_id)
    at = datetime.now(UTC)
    bid.end(BidStatus.DECLINED, at=at, reason=reason)
    await session.flush()
    declined = BidDeclined(
        **named(bid),
        reason=reason,
        declined_by=caller.grant.principal.subject,
        declined_at=at,
    )
    await tell(session, bid, BID_DECLINED, declined)
    await audit(session, bid, "decline", caller=caller)
    return bid


async def _locked(
    session: AsyncSession, grant: Grant, booking_id: UUID, bid_id: UUID
) -> tuple[Booking, Bid]:
    booking = await lock_booking(session, Booking.id == booking_id, reached_by(grant))
    if booking is None:
        raise BookingNotFound
    return booking, await lock_bid(session, Bid.id == bid_id, Bid.booking_id == booking.id)


def _check_price(grant: Grant, booking: Booking, bid: Bid) -> None:
    share = share_paise(
        price_paise=booking.price_paise, quantity_mt=booking.quantity_mt, load_mt=bid.load_mt
    )
    # The shipper pays the booking's price, whatever the fleet gets: what is above it Ubertruck
    # pays, so that isn't the shipper's to agree to.
    if bid.price_paise > share and grant.scope is not Scope.ALL:
        raise AboveShare(f"Its part is {share} paise.", share_paise=share)


async def _assign(
    session: AsyncSession, caller: Caller, booking: Booking, bid: Bid, window: Window
) -> Trip | str:
    """The trip, or why there can't be one."""
    try:
        async with session.begin_nested():
            truck, driver = await lock_pair(
                session,
                Truck.tenant_id == bid.tenant_id,
                truck_id=bid.truck_id,
                driver_id=bid.driver_id,
            )
            trip, _ = await assign(
                session,
                caller=caller,
                booking=booking,
                truck=truck,
                driver=driver,
                tons=bid.load_mt,
                window=window,
                states=bid.states,
                agreed_paise=bid.price_paise,
            )
    except (LoadCovered, NotFit, TruckBusy, DriverBusy) as error:
        return error.detail or f"{error.title}."
    return trip


async def _accepted(
    session: AsyncSession, caller: Caller, bid: Bid, trip: Trip, *, at: datetime
) -> Bid:
    bid.end(BidStatus.ACCEPTED, at=at)
    bid.trip_id = trip.id
    await session.flush()
    accepted = BidAccepted(
        **named(bid),
        trip_id=trip.id,
        accepted_by=caller.grant.principal.subject,
        accepted_at=at,
    )
    await tell(session, bid, BID_ACCEPTED, accepted)
    await audit(session, bid, "accept", caller=caller, trip_id=str(trip.id))
    return bid
