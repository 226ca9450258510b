"""What is loaded against what the trip is for: too much is refused, the rest is open again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.assignment.rest import expire_rests
from booking.expiry import Patience
from booking.models import Booking
from booking.statuses import Status
from booking.trips.models import Trip
from chassis.db import Database
from chassis.testing.issuer import Issuer
from contracts.booking import BookingCompleted
from contracts.trips import TRIP_LOADED, TripLoaded

from .conftest import NewClient
from .factories import problem
from .loads import accept, pair
from .rows import events_of
from .trips import LOADED, Journey, beside, journey

DAY = timedelta(days=1)
PATIENCE = Patience(payment=DAY, cover=30 * DAY)


def gross(net_kg: int) -> int:
    return LOADED["tare_kg"] + net_kg


async def trips_of(session: AsyncSession, first: Journey, *tons: int) -> Sequence[Journey]:
    """The first trip, and others of the same booking for so many tons."""
    return [first, *[await beside(session, first, Decimal(each)) for each in tons]]


async def to_the_end(trip: Journey, net_kg: int) -> None:
    await trip.reach("at_drop", gross_kg=gross(net_kg))
    assert (await trip.deliver(net_kg=net_kg)).status_code == 200
    assert (await trip.step("close")).status_code == 200


async def rows(session: AsyncSession, trip: Journey) -> tuple[Booking, Coverage]:
    kept = await session.get_one(Trip, trip.trip_id)
    booking = await session.get_one(Booking, kept.booking_id, populate_existing=True)
    return booking, await session.get_one(Coverage, booking.id, populate_existing=True)


async def entry_of(trip: Journey, kind: str) -> dict[str, int]:
    entries = (await trip.owner.get(f"{trip.path}/evidence")).json()["entries"]
    [found] = [entry["data"] for entry in entries if entry["kind"] == kind]
    return found


async def test_what_trucks_left_behind_is_open_and_then_given_up(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    old: dict[str, Any] = {"created_at": datetime.now(UTC) - 31 * DAY, "quantity_mt": Decimal(50)}
    trips = await trips_of(session, await journey(session, client, issuer, **old), 25)
    for trip in trips:
        await to_the_end(trip, 20_000)
    booking, coverage = await rows(session, trips[0])
    assert booking.status == Status.IN_PROGRESS
    assert (coverage.covered_mt, coverage.open_mt, coverage.given_up_mt) == (40, 10, 0)
    await expire_rests(rollback_database, PATIENCE)
    booking, coverage = await rows(session, trips[0])
    assert booking.status == Status.COMPLETED
    assert (coverage.covered_mt, coverage.open_mt, coverage.given_up_mt) == (40, 0, 10)
    told = await events_of(session, str(booking.id))
    assert BookingCompleted.model_validate(told[-1]["data"]).delivered_mt == 40


async def test_another_truck_takes_what_was_left_behind(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, quantity_mt=Decimal(25))
    booking, _ = await rows(session, trip)
    other = await pair(session, trip.owner.tenant_id)
    problem(await accept(trip.owner, booking, other, 5), 409, "load-covered")
    await trip.reach("loaded", gross_kg=gross(20_000))
    loaded = await entry_of(trip, "loaded")
    assert (loaded["planned_kg"], loaded["net_kg"], loaded["released_kg"]) == (
        25_000,
        20_000,
        5_000,
    )
    events = {event["type"]: event["data"] for event in await events_of(session, str(trip.trip_id))}
    told = TripLoaded.model_validate(events[TRIP_LOADED])
    assert (told.net_mt, told.released_mt) == (20, 5)
    [seen] = (await trip.owner.get("/v1/board")).json()["items"]
    assert seen["open_mt"] == 5
    assert (await accept(trip.owner, booking, other, 5)).status_code == 201
    _, coverage = await rows(session, trip)
    assert (coverage.covered_mt, coverage.open_mt) == (25, 0)


async def test_within_the_tolerance_nothing_is_open_again(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, quantity_mt=Decimal(25))
    await to_the_end(trip, 23_750)
    booking, coverage = await rows(session, trip)
    assert (booking.status, coverage.covered_mt) == (Status.COMPLETED, 25)
    assert (await entry_of(trip, "loaded"))["released_kg"] == 0


async def test_more_than_the_trip_is_for_stays_off_the_truck(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    first = await journey(session, client, issuer, quantity_mt=Decimal(35))
    [_, small] = await trips_of(session, first, 10)
    await small.reach("at_pickup")
    refused = problem(await small.load(gross_kg=gross(25_000)), 422, "weights-implausible")
    assert (refused["net_kg"], refused["planned_kg"]) == (25_000, 10_000)
    assert "25000 kg is over the 10000 kg that the trip is for" in refused["detail"]
    assert (await small.load(gross_kg=gross(10_500))).status_code == 200
    _, coverage = await rows(session, first)
    assert (coverage.covered_mt, coverage.open_mt) == (35, 0)


async def test_all_freights_are_never_above_the_price(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    terms: dict[str, Any] = {"quantity_mt": Decimal(55), "price_paise": 1_000_003}
    first = await journey(session, client, issuer, **terms)
    _, *small = await trips_of(session, first, 10, 10, 10)
    freights: list[int] = []
    for trip, net_kg in zip((first, *small), (25_500, 10_000, 10_500, 9_600), strict=True):
        await trip.reach("loaded", gross_kg=gross(net_kg))
        freights.append((await entry_of(trip, "loaded"))["freight_paise"])
    # Rounded down, and never of more than the trip is for.
    assert freights == [454_546, 181_818, 181_818, 174_545]
    assert sum(freights) <= 1_000_003


@pytest.fixture
async def committed(
    new_client: NewClient, committing: Database
) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


async def test_loaded_at_once_each_leaves_its_own_rest(
    committing: Database, committed: httpx.AsyncClient, issuer: Issuer
) -> None:
    async with committing.begin() as session:
        trips = await trips_of(session, await journey(session, committed, issuer), 25, 25)
    await asyncio.gather(*(trip.reach("at_pickup") for trip in trips))
    loads = [trip.load(gross_kg=gross(20_000)) for trip in trips]
    again = [trip.load(gross_kg=gross(20_000)) for trip in trips]
    answers = await asyncio.gather(*loads, *again)
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 3
    async with committing.begin() as session:
        booking, coverage = await rows(session, trips[0])
        assert (booking.status, booking.version) == (Status.IN_PROGRESS, 4)
        assert (coverage.covered_mt, coverage.open_mt) == (60, 40)
