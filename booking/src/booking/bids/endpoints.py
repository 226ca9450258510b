"""HTTP of bids: the fleet's side, and the side of whoever booked."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from booking.assignment.errors import LoadCovered, LoadNotFound
from booking.bids import answering, bidding
from booking.bids.errors import (
    AboveShare,
    BadValidity,
    BidEnded,
    BidGone,
    BidNotFound,
    BidOpen,
)
from booking.bids.models import Bid
from booking.bids.schemas import (
    BidAnswer,
    BidFilter,
    BidOut,
    BidRequest,
    DeclineRequest,
    ReceivedBid,
)
from booking.endpoints import Source
from booking.errors import BookingNotFound
from booking.fleets.errors import DriverNotFound, TruckNotFound
from booking.fleets.http import POSTS, READS
from booking.fleets.service import Caller
from booking.trips.errors import NotFit
from booking.trips.judging import KmPerDay
from chassis.access import Grant, requires
from chassis.config_client import ConfigurationUnavailable
from chassis.db import Session
from chassis.errors import problem_response, problems
from chassis.idempotency import IdempotentRoute
from chassis.pagination import BadCursor, Key, Page, page_of

router = APIRouter(prefix="/v1", tags=["bids"], route_class=IdempotentRoute)

MayBid = Annotated[Grant, requires("fleet", "bid")]
# Not `booking:read`, by which fleets read the bookings that they have trips of.
MayAward = Annotated[Grant, requires("booking", "award", instead=("trip", "assign"))]


async def _bidder(grant: MayBid, source: Source) -> Caller:
    return Caller(grant=grant, source_ip=source)


async def _awarder(grant: MayAward, source: Source) -> Caller:
    return Caller(grant=grant, source_ip=source)


Bidder = Annotated[Caller, Depends(_bidder)]
Awarder = Annotated[Caller, Depends(_awarder)]


@router.post(
    "/board/{booking_id}/bids",
    operation_id="placeBid",
    status_code=201,
    responses=problems(
        *POSTS,
        LoadNotFound,
        TruckNotFound,
        DriverNotFound,
        LoadCovered,
        NotFit,
        BidOpen,
        BadValidity,
        ConfigurationUnavailable,
    ),
)
async def place(
    booking_id: UUID, wanted: BidRequest, caller: Bidder, session: Session, km_per_day: KmPerDay
) -> BidOut:
    """Ask your price for a load or a part of it, with a truck and a driver of yours.

    They stay free until the bid is accepted. A truck has one open bid on a booking.
    """
    bid = await bidding.place_bid(
        session, caller=caller, booking_id=booking_id, wanted=wanted, km_per_day=km_per_day
    )
    return BidOut.of(bid)


@router.get("/bids", operation_id="listBids", responses=problems(*READS, BadCursor))
async def list_bids(
    wanted: Annotated[BidFilter, Query()], grant: MayBid, session: Session
) -> Page[BidOut]:
    """The bids of your fleet, newest first."""
    rows = await bidding.own_bids(session, grant=grant, wanted=wanted)
    return page_of(rows, limit=wanted.limit, key=_key, render=BidOut.of)


@router.get("/bids/{bid_id}", operation_id="getBid", responses=problems(*READS, BidNotFound))
async def read_bid(bid_id: UUID, grant: MayBid, session: Session) -> BidOut:
    """One bid of your fleet."""
    return BidOut.of(await bidding.read_bid(session, grant=grant, bid_id=bid_id))


@router.post(
    "/bids/{bid_id}/withdraw",
    operation_id="withdrawBid",
    responses=problems(*POSTS, BidNotFound, BidEnded),
)
async def withdraw(bid_id: UUID, caller: Bidder, session: Session) -> BidOut:
    """Take a bid back that wasn't answered yet."""
    return BidOut.of(await bidding.withdraw_bid(session, caller=caller, bid_id=bid_id))


@router.get(
    "/booking/{booking_id}/bids",
    operation_id="listBidsOnBooking",
    responses=problems(*READS, BookingNotFound, BadCursor),
)
async def received(
    booking_id: UUID, wanted: Annotated[BidFilter, Query()], grant: MayAward, session: Session
) -> Page[ReceivedBid]:
    """The bids on your booking, newest first."""
    booking, rows = await answering.bids_on(
        session, grant=grant, booking_id=booking_id, wanted=wanted
    )
    return page_of(
        rows,
        limit=wanted.limit,
        key=lambda row: _key(row[0]),
        render=lambda row: ReceivedBid.on(booking, *row),
    )


@router.post(
    "/booking/{booking_id}/bids/{bid_id}/accept",
    operation_id="acceptBid",
    response_model=BidAnswer,
    responses=problems(
        *POSTS,
        BookingNotFound,
        BidNotFound,
        BidEnded,
        BidGone,
        AboveShare,
        ConfigurationUnavailable,
    ),
)
async def accept(
    booking_id: UUID, bid_id: UUID, caller: Awarder, session: Session, km_per_day: KmPerDay
) -> BidAnswer | Response:
    """Take a bid: its truck and driver are held for this part of the booking.

    One that can't be taken any more, since its truck has another trip or the load is gone, lapses.
    """
    found = await answering.accept_bid(
        session, caller=caller, booking_id=booking_id, bid_id=bid_id, km_per_day=km_per_day
    )
    # Answered, not raised: that the bid lapsed has to be committed.
    return problem_response(found) if isinstance(found, BidGone) else BidAnswer.of(found)


@router.post(
    "/booking/{booking_id}/bids/{bid_id}/decline",
    operation_id="declineBid",
    responses=problems(*POSTS, BookingNotFound, BidNotFound, BidEnded),
)
async def decline(
    booking_id: UUID,
    bid_id: UUID,
    caller: Awarder,
    session: Session,
    request: DeclineRequest | None = None,
) -> BidAnswer:
    """Turn a bid down. The fleet may bid again."""
    bid = await answering.decline_bid(
        session,
        caller=caller,
        booking_id=booking_id,
        bid_id=bid_id,
        reason=None if request is None else request.reason,
    )
    return BidAnswer.of(bid)


def _key(bid: Bid) -> Key:
    return Key(bid.created_at, bid.id)
