"""A load of which nothing is handed over: the trip ends, the truck is free, all is claimed."""

import asyncio
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking
from booking.statuses import Status
from booking.trips.evidence import verify
from booking.trips.models import Trip
from booking.trips.steps import CARRYING, MOVES, TripStatus
from chassis.db import Database
from chassis.testing.issuer import Issuer
from contracts.booking import BookingCompleted
from contracts.trips import (
    TRIP_LOST,
    TRIP_SHORTAGE_CLAIMED,
    TripClosed,
    TripLost,
    TripShortageClaimed,
)

from .conftest import NewClient
from .factories import FakeSource, problem
from .rows import events_of
from .trips import PROOF, Journey, journey

REPORT = {"reason": "Truck and load stolen near Asansol", "report_sha256": "cd" * 32}
REACHABLE = [TripStatus.ASSIGNED, *(leads for _, leads in MOVES.values())]


async def report(trip: Journey, **headers: str) -> httpx.Response:
    return await trip.owner.post(f"{trip.path}/report-loss", REPORT, **headers)


async def whole(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    """A trip that is all of its booking."""
    return await journey(session, client, issuer, quantity_mt=Decimal(25))


async def rows(session: AsyncSession, trip: Journey) -> tuple[Trip, Booking]:
    kept = await session.get_one(Trip, trip.trip_id, populate_existing=True)
    return kept, await session.get_one(Booking, kept.booking_id, populate_existing=True)


async def test_from_the_loss_to_the_end(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await whole(session, client, issuer)
    await trip.reach("in_transit")
    answered = await report(trip)
    assert answered.status_code == 200, answered.text
    assert (answered.json()["status"], answered.headers["etag"]) == ("delivered", '"6"')
    [seen] = (await trip.sender.get("/v1/trips")).json()["items"]
    assert seen["lost_at"] == answered.json()["lost_at"] is not None
    assert (seen["delivered"], seen["shortage_claim"]["claimed_kg"]) == (None, 25_000)
    assert seen["codes"]["drop"] == {
        "state": "not_issued",
        "due": False,
        "expires_at": None,
        "blocked_until": None,
    }
    assert (await trip.step("close")).status_code == 200
    kept, booking = await rows(session, trip)
    assert (kept.status, booking.status) == (TripStatus.CLOSED, Status.COMPLETED)
    events = await events_of(session, str(kept.id))
    told = {event["type"]: event["data"] for event in events}
    lost = TripLost.model_validate(told[TRIP_LOST])
    assert (lost.previous_status, lost.lost_mt, lost.reason) == ("in_transit", 25, REPORT["reason"])
    assert (lost.report_digest, lost.reported_by) == ("cd" * 32, str(trip.owner.subject))
    claim = TripShortageClaimed.model_validate(told[TRIP_SHORTAGE_CLAIMED])
    # 25 t of coal at Rs 4500 a ton.
    assert (claim.delivered_mt, claim.claimed.amount) == (0, 11_250_000)
    closed = TripClosed.model_validate(events[-1]["data"])
    assert (closed.loaded_mt, closed.delivered_mt, closed.shortage_mt) == (25, 0, 25)
    completed = (await events_of(session, str(booking.id)))[-1]
    assert BookingCompleted.model_validate(completed["data"]).delivered_mt == 0
    exported = await trip.owner.get(f"{trip.path}/evidence")
    assert verify(exported.content).fault is None
    entry = exported.json()["entries"][-2]
    assert (entry["kind"], entry["by"]) == ("lost", str(trip.owner.subject))
    said = {name: entry["data"][name] for name in ("reason", "report_sha256", "net_kg")}
    assert said == {**REPORT, "net_kg": 0}


@pytest.mark.parametrize("status", REACHABLE)
async def test_only_what_is_on_the_truck(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, status: TripStatus
) -> None:
    trip = await whole(session, client, issuer)
    if status != TripStatus.ASSIGNED:
        await trip.reach(status)
    before, _ = await rows(session, trip)
    version = before.version
    answered = await report(trip)
    kept, booking = await rows(session, trip)
    if status in CARRYING:
        assert (answered.status_code, kept.version) == (200, version + 1)
        assert booking.status == Status.DELIVERED
        return
    assert problem(answered, 409, "nothing-carried")["status_now"] == status
    assert (kept.version, kept.lost_at) == (version, None)


async def test_by_the_fleet_s_owner_alone(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, source: FakeSource
) -> None:
    trip, other = await whole(session, client, issuer), await whole(session, client, issuer)
    await trip.reach("loaded")
    path = f"{trip.path}/report-loss"
    problem(await trip.driver.post(path, REPORT), 403, "permission-missing")
    problem(await trip.sender.post(path, REPORT), 403, "permission-missing")
    problem(await other.owner.post(path, REPORT), 404, "trip-not-found")
    for wrong in ({"reason": ""}, {"report_sha256": "no digest"}, {"net_kg": 0}):
        problem(await trip.owner.post(path, {**REPORT, **wrong}), 422, "invalid")
    problem(await report(trip, If_Match='"1"'), 412, "precondition-failed")
    source.trips = None
    problem(await report(trip), 503, "configuration-unavailable")
    kept, _ = await rows(session, trip)
    assert kept.status == TripStatus.LOADED


async def test_the_same_report_again_is_the_same(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await whole(session, client, issuer)
    await trip.reach("loaded")
    first, again = [await report(trip, Idempotency_Key="once") for _ in range(2)]
    assert (first.status_code, first.content) == (200, again.content)
    problem(await report(trip), 409, "nothing-carried")


async def test_reported_and_delivered_at_once_it_ends_once(
    new_client: NewClient, committing: Database, issuer: Issuer
) -> None:
    async with new_client(committing) as client:
        async with committing.begin() as session:
            trip = await whole(session, client, issuer)
        await trip.reach("at_drop")
        arrived = {"tare_kg": 9_200, "gross_kg": 33_200, "proof_sha256": PROOF}
        body = {**arrived, "code": await trip.code("drop")}
        answers = await asyncio.gather(report(trip), trip.step("deliver", body), report(trip))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    async with committing.begin() as session:
        kept, booking = await rows(session, trip)
        weighed = await session.scalar(text("SELECT count(*) FROM trip_weights"))
        claimed = await session.scalars(text("SELECT claimed_kg FROM shortage_claims"))
        assert (kept.status, booking.status) == (TripStatus.DELIVERED, Status.DELIVERED)
        lost = kept.lost_at is not None
        assert (weighed, claimed.all()) == ((1, [25_000]) if lost else (2, [1_000]))
