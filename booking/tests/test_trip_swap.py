from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from booking.trips.evidence import verify
from booking.trips.models import Trip
from chassis.testing.issuer import Issuer
from contracts.trips import TRIP_TRUCK_SWAPPED, TripTruckSwapped

from .factories import problem
from .fleets import driver_row, truck_row
from .rows import booking_row, events_of
from .trips import DRIVER, LOADED, Journey, journey, trip_row

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC)


@pytest.fixture
async def trip(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    return await journey(session, client, issuer)


async def another(session: AsyncSession, tenant_id: UUID, **truck: Any) -> dict[str, str]:
    """Another truck and driver, as a body for the swap."""
    rows = truck_row(tenant_id=tenant_id, **truck), driver_row(tenant_id=tenant_id)
    session.add_all(rows)
    await session.flush()
    return {"truck_id": str(rows[0].id), "driver_id": str(rows[1].id), "reason": "Axle broken"}


async def swap(trip: Journey, body: dict[str, str], **more: object) -> httpx.Response:
    return await trip.owner.post(f"{trip.path}/swap-truck", {**body, **more})


async def plan(session: AsyncSession, trip_id: UUID, begin: timedelta, until: timedelta) -> None:
    planned = Range(NOW + begin, NOW + until)
    await session.execute(update(Trip).where(Trip.id == trip_id).values(planned=planned))


async def give_a_trip(
    session: AsyncSession, body: dict[str, str], *, tenant_id: UUID, **changes: Any
) -> None:
    """Let truck and driver of this swap have a trip already."""
    booking = booking_row()
    session.add(booking)
    await session.flush()
    ids = {name: UUID(body[name]) for name in ("truck_id", "driver_id")}
    session.add(trip_row(booking, tenant_id=tenant_id, **ids, **changes))
    await session.flush()


@pytest.mark.parametrize("status", ["loaded", "in_transit"])
async def test_load_papers_and_evidence_go_along(
    trip: Journey, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, status: str
) -> None:
    await trip.reach(status)
    before = (await trip.owner.get(f"{trip.path}/evidence")).json()["entries"]
    body = await another(session, trip.owner.tenant_id)
    response = await swap(trip, body)
    assert response.status_code == 200, response.text
    shown = response.json()
    assert (shown["truck_id"], shown["status"]) == (body["truck_id"], status)
    assert shown["lorry_receipt_number"].endswith("/000001")
    exported = await trip.owner.get(f"{trip.path}/evidence")
    assert verify(exported.content).fault is None
    assert exported.json()["entries"][:-1] == before
    [event] = [
        e for e in await events_of(session, str(trip.trip_id)) if e["type"] == TRIP_TRUCK_SWAPPED
    ]
    told = TripTruckSwapped.model_validate(event["data"])
    assert (told.previous_truck_id, told.previous_driver_id) == (trip.truck_id, trip.driver_id)
    # Whoever drove it has nothing to do with it any more.
    problem(await trip.driver.get(trip.path), 404, "trip-not-found")


@pytest.mark.parametrize("status", ["accepted", "at_pickup", "at_drop", "closed"])
async def test_only_what_is_on_its_way_is_taken_over(
    trip: Journey, session: AsyncSession, status: str
) -> None:
    await trip.reach(status)
    body = await another(session, trip.owner.tenant_id)
    problem(await swap(trip, body), 409, "not-swappable")


async def test_a_busy_truck_or_driver_takes_nothing_over(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("loaded")
    fleet = trip.owner.tenant_id
    busy, free = await another(session, fleet), await another(session, fleet)
    await give_a_trip(session, busy, tenant_id=fleet)
    for member, slug in (("truck_id", "truck-busy"), ("driver_id", "driver-busy")):
        problem(await swap(trip, {**free, member: busy[member]}), 409, slug)
    assert (await trip.owner.get(trip.path)).json()["truck_id"] == str(trip.truck_id)
    assert (await swap(trip, free)).status_code == 200


async def test_of_a_late_trip_too_what_they_have_next_is_in_the_way(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("in_transit")
    await plan(session, trip.trip_id, -3 * DAY, -HOUR)
    fleet = trip.owner.tenant_id
    busy, free = await another(session, fleet), await another(session, fleet)
    soon = Range(NOW + 20 * HOUR, NOW + 3 * DAY)
    await give_a_trip(session, busy, tenant_id=fleet, planned=soon)
    for member, slug in (("truck_id", "truck-busy"), ("driver_id", "driver-busy")):
        problem(await swap(trip, {**free, member: busy[member]}), 409, slug)
    shown = (await swap(trip, free)).json()
    begin, until = (datetime.fromisoformat(shown[f"planned_{end}"]) for end in ("from", "until"))
    assert begin == NOW - 3 * DAY
    assert NOW + DAY <= until <= NOW + DAY + HOUR
    # Now it is the one that is held.
    later = Range(until - HOUR, until + DAY)
    with pytest.raises(IntegrityError, match="ex_trips_truck"):
        await give_a_trip(session, free, tenant_id=fleet, planned=later)


async def test_who_takes_over_before_the_planned_time_is_held_from_now_on(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("loaded")
    await plan(session, trip.trip_id, DAY, 4 * DAY)
    shown = (await swap(trip, await another(session, trip.owner.tenant_id))).json()
    begin, until = (datetime.fromisoformat(shown[f"planned_{end}"]) for end in ("from", "until"))
    assert NOW <= begin <= NOW + HOUR
    assert until == NOW + 4 * DAY


async def test_without_a_national_permit_the_states_have_to_be_said(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("in_transit")
    body = await another(session, trip.owner.tenant_id, states=["JH", "WB"])
    unsaid = problem(await swap(trip, body), 409, "not-fit")["reasons"]
    assert unsaid == ["has no national permit: say which states the way leads through"]
    beyond = problem(await swap(trip, body, states=["WB", "OD"]), 409, "not-fit")["reasons"]
    assert beyond == ["has no permit for OD"]
    problem(await swap(trip, body, states=["XX"]), 422, "invalid")
    assert (await swap(trip, body, states=["WB"])).status_code == 200


async def test_what_could_be_loaded_can_be_taken_over(trip: Journey, session: AsyncSession) -> None:
    # The trip is for 25 t, and 5 % more are the tolerance, as they are of the capacity.
    await trip.reach("loaded", gross_kg=LOADED["tare_kg"] + 26_250)
    smaller, equal = [
        await another(session, trip.owner.tenant_id, capacity_mt=Decimal(capacity))
        for capacity in ("24.999", "25")
    ]
    reasons = problem(await swap(trip, smaller), 409, "not-fit")["reasons"]
    assert reasons == ["carries 26.24895 t at most"]
    assert (await swap(trip, equal)).status_code == 200


async def test_what_is_not_fit_takes_nothing_over(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("loaded")
    body = await another(session, trip.owner.tenant_id, capacity_mt=10, materials=["sand"])
    document = problem(await swap(trip, body), 409, "not-fit")
    assert document["reasons"] == ["carries 10.5 t at most", "doesn't carry coal"]


async def test_other_fleets_trucks_are_not_there(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("loaded")
    own, foreign = await another(session, trip.owner.tenant_id), await another(session, uuid4())
    problem(await swap(trip, foreign), 404, "not-found")
    problem(await swap(trip, {**own, "driver_id": foreign["driver_id"]}), 404, "not-found")
    same = {"truck_id": str(trip.truck_id), "driver_id": str(trip.driver_id), "reason": "none"}
    problem(await swap(trip, same), 422, "nothing-swapped")


async def test_a_driver_swaps_nothing(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("loaded")
    body = await another(session, trip.owner.tenant_id)
    refused = await trip.driver.another(*DRIVER).post(f"{trip.path}/swap-truck", body)
    problem(refused, 403, "permission-missing")
