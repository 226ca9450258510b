"""Bids that are answered, taken back, and compete at the same moment."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import text

from booking.bids.lapse import lapse_bids
from chassis.db import Database

from .bids import answer, owner_of, placed, seen, withdraw
from .conftest import NewClient
from .factories import Caller
from .loads import Pair, open_load, pair

pytestmark = pytest.mark.untraced

RACERS = 16


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


async def test_of_many_bids_for_the_last_tons_one_is_taken(
    fleet: Caller, committing: Database
) -> None:
    async with committing.begin() as session:
        booking = await open_load(session, quantity_mt=Decimal(25))
        pairs = [await pair(session, fleet.tenant_id) for _ in range(RACERS)]
    bids = [await placed(fleet, booking, one) for one in pairs]
    # Each by another user of the shipper, while workers end what they find over.
    answers = await asyncio.gather(
        *(answer(owner_of(fleet, booking), bid, "accept") for bid in bids),
        *(lapse_bids(committing) for _ in range(2)),
    )
    codes = Counter(one.status_code for one in answers if isinstance(one, httpx.Response))
    assert codes == {200: 1, 409: RACERS - 1}
    assert Counter([(await seen(fleet, bid))["status"] for bid in bids]) == {
        "accepted": 1,
        "lapsed": RACERS - 1,
    }
    async with committing.begin() as session:
        assert await session.scalar(text("SELECT count(*) FROM trips")) == 1
        told = await session.scalar(text("SELECT count(*) FROM outbox WHERE type LIKE '%.bid.%'"))
    # Each was placed and ended once.
    assert told == 2 * RACERS


async def test_of_many_bids_with_one_truck_one_is_taken(
    fleet: Caller, committing: Database
) -> None:
    async with committing.begin() as session:
        wanted = await pair(session, fleet.tenant_id)
        others = [await pair(session, fleet.tenant_id) for _ in range(RACERS)]
        loads = [await open_load(session) for _ in range(RACERS)]
    bids = [
        await placed(fleet, load, Pair(truck=wanted.truck, driver=other.driver))
        for load, other in zip(loads, others, strict=True)
    ]
    answers = await asyncio.gather(
        *(
            answer(owner_of(fleet, load), bid, "accept")
            for load, bid in zip(loads, bids, strict=True)
        )
    )
    assert Counter(r.status_code for r in answers) == {200: 1, 409: RACERS - 1}
    reasons = {r.json()["reason"] for r in answers if r.status_code == 409}
    assert reasons == {"The truck has another trip."}


async def test_a_bid_is_answered_or_taken_back(fleet: Caller, committing: Database) -> None:
    async with committing.begin() as session:
        booking = await open_load(session, quantity_mt=Decimal(1000))
        pairs = [await pair(session, fleet.tenant_id) for _ in range(8)]
    shipper = owner_of(fleet, booking)
    for one in pairs:
        bid = await placed(fleet, booking, one)
        answers = await asyncio.gather(
            answer(shipper, bid, "accept"),
            withdraw(fleet, bid),
            answer(shipper, bid, "accept"),
            answer(shipper, bid, "decline"),
        )
        assert Counter(r.status_code for r in answers) == {200: 1, 409: 3}
        status = (await seen(fleet, bid))["status"]
        [done] = [r.json()["status"] for r in answers if r.status_code == 200]
        assert status == done
    async with committing.begin() as session:
        trips = await session.scalar(text("SELECT count(*) FROM trips"))
        accepted = await session.scalar(text("SELECT count(*) FROM bids WHERE trip_id IS NOT NULL"))
        covered = await session.scalar(text("SELECT sum(covered_mt) FROM booking_coverage"))
    assert trips == accepted
    assert (covered or 0) == 25 * (trips or 0)
