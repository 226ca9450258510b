"""Bids that nobody can take any more end by themselves, told once."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.bids.lapse import lapse_bids
from booking.bids.models import Bid, BidStatus
from booking.models import Booking
from booking.statuses import Status
from chassis.db import Database
from contracts.bids import BID_LAPSED, BidLapsed

from .bids import answer, bid_row, over, owner_of, seen
from .factories import Caller, problem
from .loads import open_load, pair
from .rows import events_of


async def kept(session: AsyncSession, booking: Booking, **changes: Any) -> Bid:
    bid = bid_row(booking, await pair(session, uuid4()), **changes)
    session.add(bid)
    await session.flush()
    return bid


async def test_the_worker_ends_what_is_over(
    session: AsyncSession, rollback_database: Database
) -> None:
    booking = await open_load(session)
    cancelled = await open_load(session, status=Status.CANCELLED)
    nearly_covered = await open_load(session)
    session.add(
        Coverage(booking_id=nearly_covered.id, quantity_mt=100, covered_mt=Decimal("75.001"))
    )
    good = await kept(session, booking)
    bids = {
        "Its time is over.": await kept(session, booking, **over()),
        "The booking is cancelled.": await kept(session, cancelled),
        "Only 24.999 t of the load are open.": await kept(session, nearly_covered),
    }
    # The second run finds nothing.
    for _ in range(2):
        assert await lapse_bids(rollback_database) is False
    for reason, bid in bids.items():
        await session.refresh(bid)
        assert (bid.status, bid.reason) == (BidStatus.LAPSED, reason)
        [told] = await events_of(session, str(bid.id))
        assert (told["type"], told["aggregate_version"]) == (BID_LAPSED, 2)
        assert BidLapsed.model_validate(told["data"]).reason == reason
    await session.refresh(good)
    assert good.status is BidStatus.OPEN


async def test_what_is_over_is_not_taken_before_the_worker_comes(
    fleet: Caller, session: AsyncSession
) -> None:
    booking = await open_load(session)
    bid = bid_row(booking, await pair(session, fleet.tenant_id), **over())
    session.add(bid)
    await session.flush()
    told = {"booking_id": str(booking.id), "bid_id": str(bid.id)}
    gone = problem(await answer(owner_of(fleet, booking), told, "accept"), 409, "bid-gone")
    assert gone["reason"] == "Its time is over."
    assert (await seen(fleet, told))["status"] == "lapsed"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"load_mt": 0}, "ck_bids_load_mt"),
        ({"price_paise": 0}, "ck_bids_price_paise"),
        ({"states": ["XX"]}, "ck_bids_states"),
        ({"version": 2}, "ck_bids_version"),
        ({"reason": "why"}, "ck_bids_reason"),
        ({"status": BidStatus.LAPSED, "version": 2}, "ck_bids_reason"),
        ({"status": BidStatus.ACCEPTED, "version": 2}, "ck_bids_trip"),
        ({"valid_until": over()["valid_until"]}, "ck_bids_validity"),
        ({"tenant_id": uuid4()}, "fk_bids_truck"),
    ],
)
async def test_the_database_refuses(
    session: AsyncSession, changes: dict[str, Any], constraint: str
) -> None:
    booking = await open_load(session)
    with pytest.raises(IntegrityError, match=constraint):
        await kept(session, booking, **changes)
