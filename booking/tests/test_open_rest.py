"""What no truck was found for in time is given up, so that no booking waits for ever."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.assignment.rest import expire_rests
from booking.expiry import Patience
from booking.models import Booking
from booking.statuses import Status
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from chassis.db import Database
from chassis.testing.issuer import Issuer
from contracts.booking import BookingRestExpired

from .factories import problem
from .loads import accept, pair
from .rows import booking_row, events_of
from .trips import SENDER, Caller, Journey, journey

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATIENCE = Patience(payment=DAY, cover=30 * DAY)


def made(days: int) -> Mapping[str, Any]:
    return {"created_at": datetime.now(UTC) - days * DAY}


def window(*, ends_in: timedelta) -> Mapping[str, Any]:
    end = datetime.now(UTC) + ends_in
    return {"pickup_from": end - 2 * HOUR, "pickup_until": end, **made(1)}


async def booking_of(session: AsyncSession, trip: Journey) -> Booking:
    kept = await session.get_one(Trip, trip.trip_id)
    return await session.get_one(Booking, kept.booking_id, populate_existing=True)


@pytest.mark.parametrize(
    ("when", "gives_up"),
    [
        (made(29), False),
        (made(31), True),
        ({**window(ends_in=HOUR), **made(31)}, False),
        (window(ends_in=-HOUR), True),
    ],
)
async def test_when(
    rollback_database: Database,
    session: AsyncSession,
    client: httpx.AsyncClient,
    issuer: Issuer,
    when: Mapping[str, Any],
    gives_up: bool,
) -> None:
    trip = await journey(session, client, issuer, **when)
    await expire_rests(rollback_database, PATIENCE)
    await expire_rests(rollback_database, PATIENCE)
    booking = await booking_of(session, trip)
    coverage = await session.get_one(Coverage, booking.id, populate_existing=True)
    told = await events_of(session, str(booking.id))
    assert booking.status == Status.ASSIGNED
    if not gives_up:
        assert (coverage.open_mt, booking.version, told) == (75, 3, [])
        return
    assert (coverage.open_mt, coverage.given_up_mt, booking.version) == (0, 75, 4)
    [event] = told
    assert event["aggregate_version"] == 4
    data = BookingRestExpired.model_validate(event["data"])
    assert (data.carried_mt, data.given_up_mt) == (25, 75)


async def test_whoever_booked_sees_how_far_trucks_cover_it(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, **made(31))
    booking = await booking_of(session, trip)

    async def seen() -> Mapping[str, float]:
        return (await trip.sender.get(f"/v1/booking/{booking.id}")).json()["coverage"]

    assert await seen() == {"covered_mt": 25, "open_mt": 75, "given_up_mt": 0}
    await expire_rests(rollback_database, PATIENCE)
    assert await seen() == {"covered_mt": 25, "open_mt": 0, "given_up_mt": 75}


@pytest.mark.parametrize(
    ("status", "open_mt"),
    [(Status.REQUESTED, 0), (Status.CONFIRMED, 100), (Status.CANCELLED, 0)],
)
async def test_trucks_are_sought_once_it_is_confirmed(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, status: Status, open_mt: int
) -> None:
    booking = booking_row(status=status)
    session.add(booking)
    await session.flush()
    sender = Caller(client, issuer, *SENDER, tenant_id=booking.tenant_id)
    seen = (await sender.get(f"/v1/booking/{booking.id}")).json()["coverage"]
    assert seen == {"covered_mt": 0, "open_mt": open_mt, "given_up_mt": 0}


async def test_the_last_delivery_then_ends_it(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, **made(31))
    await trip.reach("at_drop")
    await expire_rests(rollback_database, PATIENCE)
    assert (await booking_of(session, trip)).status == Status.IN_PROGRESS
    await trip.advance(TripStatus.DELIVERED)
    assert (await booking_of(session, trip)).status == Status.DELIVERED


async def test_when_all_is_closed_already_it_ends_it_at_once(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, **made(31))
    await trip.reach("closed")
    await expire_rests(rollback_database, PATIENCE)
    booking = await booking_of(session, trip)
    assert booking.status == Status.COMPLETED
    told = [
        (event["type"].split(".")[-2], event["aggregate_version"])
        for event in await events_of(session, str(booking.id))
    ]
    assert told == [("started", 4), ("rest_expired", 5), ("delivered", 6), ("completed", 7)]


async def test_what_was_given_up_is_off_the_board(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, **made(31))
    booking = await booking_of(session, trip)
    other = await pair(session, trip.owner.tenant_id)
    assert (await trip.owner.get("/v1/board")).json()["items"]
    await expire_rests(rollback_database, PATIENCE)
    assert not (await trip.owner.get("/v1/board")).json()["items"]
    problem(await accept(trip.owner, booking, other), 409, "load-covered")


async def test_a_trip_called_off_afterwards_opens_its_load_again(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, **made(31))
    other = await pair(session, trip.owner.tenant_id)
    booking = await booking_of(session, trip)
    assert (await accept(trip.owner, booking, other)).status_code == 201
    await expire_rests(rollback_database, PATIENCE)
    assert (await trip.owner.post(f"{trip.path}/cancel")).status_code == 200
    coverage = await session.get_one(Coverage, booking.id, populate_existing=True)
    assert (coverage.open_mt, coverage.given_up_mt) == (25, 50)
    await expire_rests(rollback_database, PATIENCE)
    told = await events_of(session, str(booking.id))
    data = BookingRestExpired.model_validate(told[-1]["data"])
    assert (data.carried_mt, data.given_up_mt) == (25, 25)


async def test_more_than_there_is_can_neither_be_covered_nor_given_up(
    session: AsyncSession,
) -> None:
    booking = booking_row()
    session.add(booking)
    await session.flush()
    tons = {"covered_mt": Decimal(60), "given_up_mt": Decimal("40.001")}
    session.add(Coverage(booking_id=booking.id, quantity_mt=100, **tons))
    with pytest.raises(IntegrityError, match="ck_booking_coverage_covered_mt"):
        await session.flush()


async def test_batch_by_batch(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    for _ in range(3):
        await journey(session, client, issuer, **made(31))
    runs = [await expire_rests(rollback_database, PATIENCE, batch=2) for _ in range(2)]
    assert runs == [True, False]


async def test_several_at_once_give_up_once(
    committing: Database, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    async with committing.begin() as session:
        trips = [await journey(session, client, issuer, **made(31)) for _ in range(6)]
    await asyncio.gather(*(expire_rests(committing, PATIENCE) for _ in range(4)))
    async with committing.begin() as session:
        for trip in trips:
            booking = await booking_of(session, trip)
            assert len(await events_of(session, str(booking.id))) == 1
