"""Use cases of the fleet: placing a bid, reading its own, taking one back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, false, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.plan import planned
from booking.assignment.service import open_booking, require_fit, require_open
from booking.bids.errors import BidNotFound, BidOpen
from booking.bids.models import Bid, BidStatus
from booking.bids.rules import check_validity
from booking.bids.schemas import BidFilter, BidRequest
from booking.bids.telling import audit, named, tell
from booking.fleets.access import reached_by, refused_as
from booking.fleets.models import Truck
from booking.fleets.pairs import lock_pair
from booking.fleets.service import Caller
from chassis.access import Grant, Scope
from chassis.errors import DomainError
from chassis.ids import new_id
from chassis.pagination import keyset
from contracts.bids import BID_PLACED, BID_WITHDRAWN, BidPlaced, BidWithdrawn

_REFUSALS: Final[Mapping[str, type[DomainError]]] = MappingProxyType({"uq_bids_open": BidOpen})


async def place_bid(
    session: AsyncSession,
    *,
    caller: Caller,
    booking_id: UUID,
    wanted: BidRequest,
    km_per_day: int,
) -> Bid:
    """Ask a price for a part of an open load. It must fit today; truck and driver stay free."""
    at = datetime.now(UTC)
    check_validity(wanted.valid_until, pickup_at=wanted.pickup_at, at=at)
    booking = await open_booking(session, booking_id)
    truck, driver = await lock_pair(
        session,
        reached_by(caller.grant, Truck),
        truck_id=wanted.truck_id,
        driver_id=wanted.driver_id,
    )
    await require_open(session, booking, wanted.load_mt)
    window = planned(wanted.pickup_at, distance_m=booking.distance_m, km_per_day=km_per_day)
    await require_fit(session, booking, truck, driver, wanted.load_mt, window, wanted.states, at=at)
    bid = Bid(
        id=new_id(),
        booking_id=booking.id,
        tenant_id=truck.tenant_id,
        shipper_tenant_id=booking.tenant_id,
        truck_id=truck.id,
        driver_id=driver.id,
        placed_by=caller.grant.principal.subject,
        load_mt=wanted.load_mt,
        price_paise=wanted.price_paise,
        pickup_at=wanted.pickup_at,
        states=sorted(wanted.states),
        valid_until=wanted.valid_until,
        status=BidStatus.OPEN,
        version=1,
        created_at=at,
        updated_at=at,
    )
    session.add(bid)
    async with refused_as(_REFUSALS):
        await session.flush()
    placed = BidPlaced(
        **named(bid),
        shipper_id=booking.shipper_id,
        truck_id=bid.truck_id,
        pickup_at=bid.pickup_at,
        valid_until=bid.valid_until,
        placed_at=at,
    )
    await tell(session, bid, BID_PLACED, placed)
    await audit(session, bid, "place", caller=caller, price_paise=bid.price_paise)
    return bid


async def withdraw_bid(session: AsyncSession, *, caller: Caller, bid_id: UUID) -> Bid:
    """Take an open bid back; raises `BidEnded` for one that was answered before."""
    bid = await lock_bid(session, Bid.id == bid_id, _reached_by(caller.grant))
    at = datetime.now(UTC)
    bid.end(BidStatus.WITHDRAWN, at=at)
    await session.flush()
    withdrawn = BidWithdrawn(
        **named(bid), withdrawn_by=caller.grant.principal.subject, withdrawn_at=at
    )
    await tell(session, bid, BID_WITHDRAWN, withdrawn)
    await audit(session, bid, "withdraw", caller=caller)
    return bid


async def read_bid(session: AsyncSession, *, grant: Grant, bid_id: UUID) -> Bid:
    """One bid of the caller's fleet."""
    bid = await session.scalar(select(Bid).where(Bid.id == bid_id, _reached_by(grant)))
    if bid is None:
        raise BidNotFound
    return bid


async def own_bids(session: AsyncSession, *, grant: Grant, wanted: BidFilter) -> Sequence[Bid]:
    """A page and one more of the fleet's bids, newest first."""
    statement = select(Bid).where(_reached_by(grant))
    if wanted.status is not None:
        statement = statement.where(Bid.status == wanted.status)
    page = keyset(
        statement, at=Bid.created_at, row_id=Bid.id, cursor=wanted.cursor, limit=wanted.limit
    )
    return (await session.scalars(page)).all()


async def lock_bid(session: AsyncSession, *conditions: ColumnElement[bool]) -> Bid:
    """The bid as it is now, which nobody else ends meanwhile; raises `BidNotFound`."""
    bid = await session.scalar(
        select(Bid).where(*conditions).with_for_update().execution_options(populate_existing=True)
    )
    if bid is None:
        raise BidNotFound
    return bid


def _reached_by(grant: Grant) -> ColumnElement[bool]:
    match grant.scope:
        case Scope.ALL:
            return true()
        case Scope.TENANT:
            return Bid.tenant_id == grant.principal.tenant_id
        case Scope.OWN | Scope.ASSIGNED:
            # A bid is the fleet's, and nobody's in particular.
            return false()
