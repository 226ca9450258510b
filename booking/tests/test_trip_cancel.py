"""A trip called off alone: who may, until when, and what becomes of truck, load and booking."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.models import Booking
from booking.statuses import Status
from booking.trips.evidence import verify
from booking.trips.models import Trip
from booking.trips.steps import CANCELLABLE, MOVES, TripStatus
from chassis.testing.issuer import Issuer
from contracts.booking import BOOKING_UNASSIGNED, BookingUnassigned
from contracts.trips import TRIP_CANCELLED, TripCancelled

from .factories import problem
from .loads import accept, pair
from .rows import events_of
from .trips import Journey, journey

REACHABLE = [TripStatus.ASSIGNED, *(leads for _, leads in MOVES.values())]


async def rows(session: AsyncSession, trip: Journey) -> tuple[Trip, Booking, Coverage]:
    kept = await session.get_one(Trip, trip.trip_id, populate_existing=True)
    booking = await session.get_one(Booking, kept.booking_id, populate_existing=True)
    coverage = await session.get_one(Coverage, booking.id, populate_existing=True)
    return kept, booking, coverage


@pytest.mark.parametrize("status", REACHABLE)
async def test_by_the_owner_until_it_is_loaded(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, status: TripStatus
) -> None:
    trip = await journey(session, client, issuer)
    if status != TripStatus.ASSIGNED:
        await trip.reach(status)
    kept, booking, _ = await rows(session, trip)
    before = (kept.version, booking.status)
    response = await trip.owner.post(f"{trip.path}/cancel", {"reason": "Axle broken"})
    kept, booking, coverage = await rows(session, trip)
    told = await events_of(session, str(kept.id))
    if status not in CANCELLABLE:
        problem(response, 409, "not-cancellable")
        assert (kept.version, booking.status) == before
        assert coverage.covered_mt == 25
        return
    assert response.json()["status"] == "cancelled"
    assert response.headers["etag"] == f'"{kept.version}"'
    assert (kept.status, kept.version) == (TripStatus.CANCELLED, before[0] + 1)
    assert (coverage.covered_mt, coverage.open_mt) == (0, 100)
    assert told[-1]["type"] == TRIP_CANCELLED
    data = TripCancelled.model_validate(told[-1]["data"])
    assert (data.previous_status, data.reason) == (status, "Axle broken")
    assert (data.load_mt, data.cancelled_by) == (25, str(trip.owner.subject))
    exported = await trip.owner.get(f"{trip.path}/evidence")
    assert verify(exported.content).fault is None
    assert exported.json()["entries"][-1]["data"]["previous_status"] == status
    actions = await session.scalars(text("SELECT action FROM audit_log ORDER BY id DESC"))
    assert actions.first() == "trip.cancel"


async def test_the_last_one_leaves_the_booking_confirmed(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    assert (await trip.owner.post(f"{trip.path}/cancel")).status_code == 200
    _, booking, _ = await rows(session, trip)
    assert (booking.status, booking.version) == (Status.CONFIRMED, 4)
    [event] = await events_of(session, str(booking.id))
    assert (event["type"], event["aggregate_version"]) == (BOOKING_UNASSIGNED, 4)
    assert BookingUnassigned.model_validate(event["data"]).open_mt == 100
    again = await pair(session, trip.owner.tenant_id)
    assert (await accept(trip.owner, booking, again)).status_code == 201
    _, booking, coverage = await rows(session, trip)
    assert (booking.status, booking.version, coverage.covered_mt) == (Status.ASSIGNED, 5, 25)


async def test_who_called_it_off_reads_the_booking_no_more(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    kept, _, _ = await rows(session, trip)
    reader = trip.owner.another("booking:read:assigned", tenant_id=trip.owner.tenant_id)
    path = f"/v1/booking/{kept.booking_id}"
    assert (await reader.get(path)).status_code == 200
    assert (await trip.owner.post(f"{trip.path}/cancel")).status_code == 200
    problem(await reader.get(path), 404, "not-found")


@pytest.mark.parametrize(("kind", "column"), [("trucks", "truck_id"), ("drivers", "driver_id")])
async def test_until_it_is_over_truck_and_driver_stay_in_the_fleet(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, kind: str, column: str
) -> None:
    trip = await journey(session, client, issuer)
    await trip.reach("accepted")
    path = f"/v1/{kind}/{getattr(trip, column)}/retire"
    problem(await trip.owner.post(path, None, If_Match='"1"'), 409, "on-trip")
    assert (await trip.owner.post(f"{trip.path}/cancel")).status_code == 200
    assert (await trip.owner.post(path, None, If_Match='"1"')).status_code == 200


async def test_one_of_two_leaves_it_assigned_and_frees_truck_and_driver(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    _, booking, _ = await rows(session, trip)
    other = await pair(session, trip.owner.tenant_id)
    answered = await accept(trip.owner, booking, other)
    [second] = answered.json()["assigned"]
    path = f"/v1/trips/{second['trip_id']}"
    assert (await trip.owner.post(f"{path}/cancel")).status_code == 200
    _, booking, coverage = await rows(session, trip)
    assert (booking.status, booking.version, coverage.covered_mt) == (Status.ASSIGNED, 3, 25)
    assert (await accept(trip.owner, booking, other)).status_code == 201


async def test_a_driver_declines_before_accepting_and_not_after(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    accepted, declined = [await journey(session, client, issuer) for _ in range(2)]
    assert (await declined.step("cancel", {"reason": "Ill"})).status_code == 200
    await accepted.reach("accepted")
    problem(await accepted.step("cancel"), 409, "not-cancellable")
    kept, _, _ = await rows(session, accepted)
    assert kept.status == TripStatus.ACCEPTED


async def test_nobody_else_s(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip, other = [await journey(session, client, issuer) for _ in range(2)]
    for stranger in (other.owner, other.driver):
        problem(await stranger.post(f"{trip.path}/cancel"), 404, "trip-not-found")
    assert (await trip.sender.post(f"{trip.path}/cancel")).status_code == 403
    kept, _, _ = await rows(session, trip)
    assert kept.status == TripStatus.ASSIGNED


async def test_twice_and_with_an_old_version_and_with_nonsense(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    path = f"{trip.path}/cancel"
    problem(await trip.owner.post(path, None, If_Match='"7"'), 412, "precondition-failed")
    assert (await trip.owner.post(path, {"why": "no"})).status_code == 422
    first = await trip.owner.post(path, None, Idempotency_Key="once", If_Match='"1"')
    again = await trip.owner.post(path, None, Idempotency_Key="once", If_Match='"1"')
    assert (first.status_code, first.content) == (200, again.content)
    problem(await trip.owner.post(path), 409, "not-cancellable")
    _, booking, coverage = await rows(session, trip)
    assert (booking.version, coverage.covered_mt) == (4, 0)


async def test_with_the_booking_its_coverage_ends(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    _, booking, _ = await rows(session, trip)
    assert (await trip.sender.cancel(str(booking.id))).status_code == 200
    _, booking, coverage = await rows(session, trip)
    assert (booking.status, coverage.covered_mt) == (Status.CANCELLED, 0)
    problem(await trip.owner.post(f"{trip.path}/cancel"), 409, "not-cancellable")
