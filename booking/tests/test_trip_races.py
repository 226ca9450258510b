"""Trips when requests come at once, each in a transaction of its own."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from booking.trips.evidence import verify
from chassis.db import Database
from chassis.testing.issuer import Issuer

from .conftest import NewClient
from .trips import LOADED, Journey, journey

MANY = 8


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


@pytest.fixture
def new_trip(committing: Database, client: httpx.AsyncClient, issuer: Issuer) -> "NewTrip":
    return NewTrip(committing, client, issuer)


class NewTrip:
    """Makes trips that are committed."""

    def __init__(self, database: Database, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self.database, self.client, self.issuer = database, client, issuer
        self.fleet = uuid4()

    async def __call__(self) -> Journey:
        async with self.database.begin() as session:
            return await journey(session, self.client, self.issuer, tenant_id=self.fleet)


def statuses(responses: Sequence[httpx.Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


async def test_a_step_taken_by_many_at_once_is_one_step(new_trip: NewTrip) -> None:
    trip = await new_trip()
    responses = await asyncio.gather(*(trip.step("accept") for _ in range(MANY)))
    assert statuses(responses) == {200: 1, 409: MANY - 1}
    exported = await trip.owner.get(f"{trip.path}/evidence")
    verdict = verify(exported.content)
    assert (verdict.fault, verdict.entries) == (None, 1)


async def test_wrong_codes_at_once_are_all_counted(new_trip: NewTrip) -> None:
    trip = await new_trip()
    await trip.reach("accepted")
    wrong = f"{(int(await trip.code('pickup')) + 1) % 1_000_000:06d}"
    tries = (trip.step("arrive-at-pickup", {"code": wrong}) for _ in range(MANY))
    assert statuses(await asyncio.gather(*tries)) == {422: 5, 429: MANY - 5}


async def test_receipts_at_once_leave_no_gap(new_trip: NewTrip, committing: Database) -> None:
    trips = [await new_trip() for _ in range(MANY)]
    await asyncio.gather(*(trip.reach("at_pickup") for trip in trips))
    good, bad = trips[: MANY // 2], trips[MANY // 2 :]
    # Those that are refused come in between and give their number back.
    late = {**LOADED, "consignee": {"name": "A", "gstin": "27AAPFU0939F1ZX"}}
    await asyncio.gather(
        *(trip.load() for trip in good), *(trip.step("load", late) for trip in bad)
    )
    async with committing.begin() as session:
        found = await session.scalars(
            text("SELECT lorry_receipt_number FROM trips WHERE lorry_receipt_number IS NOT NULL")
        )
        counts = sorted(int(number.rpartition("/")[2]) for number in found)
    assert counts == list(range(1, MANY // 2 + 1))
