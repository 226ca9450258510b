"""Trips whose truck never came are called off by the worker, so that no booking waits for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.models import Booking
from booking.statuses import Status
from booking.trips.evidence import verify
from booking.trips.models import Trip
from booking.trips.no_shows import NO_SHOW, REASON, call_off_no_shows
from booking.trips.steps import TripStatus
from chassis.db import Database
from chassis.testing.issuer import Issuer
from contracts.trips import TRIP_CANCELLED, TripCancelled

from .conftest import NewClient
from .factories import problem
from .loads import accept, pair
from .rows import events_of
from .trips import Journey, beside, journey

# More than passes between the collection of tests and their run.
HOUR = timedelta(hours=1)
OVER = {"age": NO_SHOW * 2, "late": NO_SHOW + HOUR}


def window(*, ended: timedelta) -> dict[str, Any]:
    end = datetime.now(UTC) - ended
    return {**OVER, "pickup_from": end - timedelta(days=3), "pickup_until": end}


async def rows(session: AsyncSession, trip: Journey) -> tuple[Trip, Booking, Coverage]:
    kept = await session.get_one(Trip, trip.trip_id, populate_existing=True)
    booking = await session.get_one(Booking, kept.booking_id, populate_existing=True)
    coverage = await session.get_one(Coverage, booking.id, populate_existing=True)
    return kept, booking, coverage


@pytest.mark.parametrize(
    ("when", "called_off"),
    [
        (OVER, True),
        ({**OVER, "late": NO_SHOW - HOUR}, False),
        (window(ended=NO_SHOW + HOUR), True),
        (window(ended=NO_SHOW - HOUR), False),
    ],
)
async def test_when(
    rollback_database: Database,
    session: AsyncSession,
    client: httpx.AsyncClient,
    issuer: Issuer,
    when: dict[str, Any],
    called_off: bool,
) -> None:
    trip = await journey(session, client, issuer, **when)
    assert await call_off_no_shows(rollback_database) is False
    kept, booking, coverage = await rows(session, trip)
    stands = (TripStatus.CANCELLED, Status.CONFIRMED, 0)
    assert (kept.status, booking.status, coverage.covered_mt) == (
        stands if called_off else (TripStatus.ASSIGNED, Status.ASSIGNED, 25)
    )


@pytest.mark.parametrize("status", [TripStatus.ACCEPTED, TripStatus.AT_PICKUP, TripStatus.LOADED])
async def test_only_trucks_that_have_not_come(
    rollback_database: Database,
    session: AsyncSession,
    client: httpx.AsyncClient,
    issuer: Issuer,
    status: TripStatus,
) -> None:
    trip = await journey(session, client, issuer, **OVER)
    await trip.reach(status)
    await call_off_no_shows(rollback_database)
    kept, _, _ = await rows(session, trip)
    gone = status == TripStatus.ACCEPTED
    assert kept.status == (TripStatus.CANCELLED if gone else status)


async def test_it_is_told_and_written_down_as_any_calling_off(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, **OVER)
    await trip.reach("accepted")
    # The second run finds nothing.
    for _ in range(2):
        await call_off_no_shows(rollback_database)
    kept, booking, _ = await rows(session, trip)
    assert (kept.version, booking.version) == (3, 4)
    [_, event] = await events_of(session, str(kept.id))
    assert (event["type"], event["aggregate_version"]) == (TRIP_CANCELLED, 3)
    told = TripCancelled.model_validate(event["data"])
    assert (told.previous_status, told.cancelled_by) == ("accepted", "/booking")
    assert (told.reason, told.load_mt) == (REASON, 25)
    exported = await trip.owner.get(f"{trip.path}/evidence")
    assert verify(exported.content).fault is None
    last = exported.json()["entries"][-1]
    assert (last["kind"], last["by"]) == ("cancelled", "/booking")
    assert last["data"] == {"previous_status": "accepted", "reason": REASON}
    [step] = (await trip.sender.get(f"/v1/booking/{booking.id}")).json()["history"]
    assert (step["to_status"], step["changed_by"]) == ("confirmed", "/booking")
    audited = await session.execute(text("SELECT actor, action FROM audit_log ORDER BY id DESC"))
    assert tuple(audited.first() or ()) == ("/booking", "trip.cancel")
    problem(await trip.step("arrive-at-pickup", {"code": "000000"}), 409, "step-out-of-order")


async def test_others_may_take_its_load(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer, quantity_mt=Decimal(25), **OVER)
    _, booking, _ = await rows(session, trip)
    other = await pair(session, trip.owner.tenant_id)
    problem(await accept(trip.owner, booking, other), 409, "load-covered")
    await call_off_no_shows(rollback_database)
    assert (await accept(trip.owner, booking, other)).status_code == 201
    await call_off_no_shows(rollback_database)
    _, booking, coverage = await rows(session, trip)
    assert (booking.status, coverage.covered_mt) == (Status.ASSIGNED, 25)


async def test_several_of_one_booking_in_batches(
    rollback_database: Database, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    first = await journey(session, client, issuer, **OVER)
    kept, _, _ = await rows(session, first)
    for _ in range(2):
        await beside(session, first, planned=kept.planned)
    runs = [await call_off_no_shows(rollback_database, batch=2) for _ in range(2)]
    assert runs == [True, False]
    _, booking, coverage = await rows(session, first)
    assert (booking.status, booking.version, coverage.covered_mt) == (Status.CONFIRMED, 4, 0)


async def test_workers_and_drivers_at_once(
    new_client: NewClient, committing: Database, issuer: Issuer
) -> None:
    """Each trip goes on or is called off once; the booking and its coverage say the same."""
    async with new_client(committing) as client:
        async with committing.begin() as session:
            trips = [await journey(session, client, issuer, **OVER) for _ in range(4)]
            kept, _, _ = await rows(session, trips[0])
            trips += [await beside(session, trips[0], planned=kept.planned) for _ in range(2)]
        workers = [call_off_no_shows(committing, batch=2) for _ in range(4)]
        accepted = asyncio.gather(*(trip.step("accept") for trip in trips))
        await asyncio.gather(*workers)
        answers = await accepted
        assert {answer.status_code for answer in answers} <= {200, 409}
        while await call_off_no_shows(committing, batch=2):
            pass
    async with committing.begin() as session:
        for trip in trips:
            kept, booking, coverage = await rows(session, trip)
            events = [event["type"] for event in await events_of(session, str(kept.id))]
            assert (kept.status, events.count(TRIP_CANCELLED)) == (TripStatus.CANCELLED, 1)
            assert (booking.status, booking.version, coverage.covered_mt) == ("confirmed", 4, 0)
