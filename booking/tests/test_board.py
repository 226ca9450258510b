"""What fleets see of open loads, and what they take."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.statuses import Status
from contracts.booking import BOOKING_ASSIGNED, BookingAssigned
from contracts.trips import TRIP_ASSIGNED, TripAssigned
from contracts.values import Material

from .factories import SHIPPER, Caller, FakeSource, problem, trip_rules
from .fleets import FLEET, absence, send
from .loads import SOON, Pair, accept, acceptance, open_load, pair
from .rows import events_of


async def board(caller: Caller) -> list[dict[str, Any]]:
    response = await caller.get("/v1/board")
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def test_shows_a_load_without_whose_and_where(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    await pair(session, fleet.tenant_id)
    [load] = await board(fleet)
    assert load["booking_id"] == str(booking.id)
    assert (load["open_mt"], load["quantity_mt"]) == (100, 100)
    assert load["pickup_area"] == {"lat": 28.6, "lng": 77.2}
    shown = str(load)
    for hidden in (booking.tenant_id, booking.shipper_id, booking.pickup_address):
        assert str(hidden) not in shown
    assert not {"contact", "address", "shipper", "tenant"} & set("_".join(load).split("_"))


@pytest.mark.parametrize("status", list(Status))
async def test_shows_what_trucks_are_still_looked_for(
    fleet: Caller, session: AsyncSession, status: Status
) -> None:
    await open_load(session, status=status)
    await pair(session, fleet.tenant_id)
    open_ones = {Status.CONFIRMED, Status.ASSIGNED, Status.IN_PROGRESS}
    assert len(await board(fleet)) == (status in open_ones)


async def test_shows_what_fits_the_fleets_own_good_trucks(
    fleet: Caller, session: AsyncSession
) -> None:
    await open_load(session, material_type=Material.IRON_ORE)
    coal = await open_load(session, material_type=Material.COAL)
    await pair(session, uuid4(), materials=["iron_ore"])
    await pair(session, fleet.tenant_id, materials=["iron_ore"], expires_on=date(2026, 1, 1))
    assert await board(fleet) == []
    await pair(session, fleet.tenant_id)
    assert [load["booking_id"] for load in await board(fleet)] == [str(coal.id)]


async def test_a_part_is_taken_and_the_rest_stays(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session, quantity_mt=Decimal(60))
    for left in (35, 10):
        response = await accept(fleet, booking, await pair(session, fleet.tenant_id))
        assert response.status_code == 201, response.text
        assert response.json()["open_mt"] == left
        assert [load["open_mt"] for load in await board(fleet)] == [left]
    last = await pair(session, fleet.tenant_id)
    refused = await accept(fleet, booking, last, 10.001)
    assert problem(refused, 409, "load-covered")["open_mt"] == 10
    assert (await accept(fleet, booking, last, 10)).json()["open_mt"] == 0
    assert await board(fleet) == []
    [first, *_] = (await session.execute(text("SELECT * FROM trips ORDER BY id"))).mappings()
    [told] = await events_of(session, str(first["id"]))
    assert told["type"] == TRIP_ASSIGNED
    assert TripAssigned.model_validate(told["data"]).load_mt == 25
    # The booking is assigned once.
    [event] = await events_of(session, str(booking.id))
    assert (event["type"], event["aggregate_version"]) == (BOOKING_ASSIGNED, 3)
    assigned = BookingAssigned.model_validate(event["data"])
    assert (assigned.assigned_mt, assigned.open_mt) == (25, 35)
    audit = await session.scalars(text("SELECT action FROM audit_log"))
    assert list(audit) == ["trip.assign"] * 3


async def test_truck_and_driver_are_busy_for_that_time(
    fleet: Caller, session: AsyncSession
) -> None:
    booking = await open_load(session)
    first, second = [await pair(session, fleet.tenant_id) for _ in range(2)]
    planned = (await accept(fleet, booking, first)).json()["assigned"][0]
    same_truck = Pair(truck=first.truck, driver=second.driver)
    same_driver = Pair(truck=second.truck, driver=first.driver)
    problem(await accept(fleet, booking, same_truck), 409, "truck-busy")
    problem(await accept(fleet, booking, same_driver), 409, "driver-busy")
    later = {"pickup_at": planned["planned_until"]}
    assert (await accept(fleet, booking, first, **later)).status_code == 201
    assert (await board(fleet))[0]["open_mt"] == 50


async def test_a_truck_is_held_for_as_long_as_the_rules_say(
    fleet: Caller, session: AsyncSession, source: FakeSource
) -> None:
    booking = await open_load(session, distance_m=700_000)

    async def held() -> timedelta:
        taken = await accept(fleet, booking, await pair(session, fleet.tenant_id))
        trip = taken.json()["assigned"][0]
        until, since = (datetime.fromisoformat(trip[f"planned_{end}"]) for end in ("until", "from"))
        return until - since

    assert await held() == timedelta(days=2, hours=12)
    source.trips = trip_rules(version=2, km_per_day=700)
    assert await held() == timedelta(days=1, hours=12)
    source.trips = None
    refused = await accept(fleet, booking, await pair(session, fleet.tenant_id))
    problem(refused, 503, "configuration-unavailable")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"load_mt": 26}, "carries 25.5 t at most"),
        ({"pickup_at": "2026-01-01T00:00:00Z"}, "pickup_at must be in the next 90 days"),
    ],
)
async def test_what_does_not_fit(
    fleet: Caller, session: AsyncSession, changes: dict[str, Any], reason: str
) -> None:
    booking = await open_load(session)
    refused = await accept(fleet, booking, await pair(session, fleet.tenant_id), **changes)
    assert problem(refused, 409, "not-fit")["reasons"] == [reason]
    assert await session.scalar(text("SELECT count(*) FROM trips")) == 0


async def test_papers_permits_absences_and_the_schedule_count(
    fleet: Caller, session: AsyncSession
) -> None:
    booking = await open_load(session, deliver_by=SOON + timedelta(hours=1))
    local = await pair(
        session, fleet.tenant_id, states=["DL"], expires_on=SOON.date() - timedelta(days=1)
    )
    away = f"/v1/drivers/{local.driver.id}/absences"
    assert (await fleet.post(away, absence(SOON))).status_code == 201
    refused = await accept(fleet, booking, local, states=["DL", "MH"])
    reasons = problem(refused, 409, "not-fit")["reasons"]
    for part in ("must be there by", "no permit for MH", "insurance expired on", "maintenance"):
        assert any(part in reason for reason in reasons), reasons
    unsaid = problem(await accept(fleet, booking, local), 409, "not-fit")["reasons"]
    assert "has no national permit: say which states the way leads through" in unsaid


async def test_other_peoples_and_unknown_are_not_there(
    fleet: Caller, session: AsyncSession
) -> None:
    booking = await open_load(session)
    mine, others = await pair(session, fleet.tenant_id), await pair(session, uuid4())
    for mixed in (
        Pair(truck=others.truck, driver=mine.driver),
        Pair(truck=mine.truck, driver=others.driver),
    ):
        problem(await accept(fleet, booking, mixed), 404, "not-found")
    requested = await open_load(session, status=Status.REQUESTED)
    problem(await accept(fleet, requested, mine), 404, "not-found")
    for caller in (fleet.another(*SHIPPER), fleet.another("fleet:read:tenant")):
        problem(await caller.get("/v1/board"), 403, "permission-missing")
        problem(await accept(caller, booking, mine), 403, "permission-missing")
    assert await session.scalar(text("SELECT count(*) FROM trips")) == 0


async def test_whoever_has_a_trip_of_a_booking_may_read_it(
    fleet: Caller, session: AsyncSession
) -> None:
    booking = await open_load(session)
    path = f"/v1/booking/{booking.id}"
    problem(await fleet.get(path), 404, "not-found")
    await accept(fleet, booking, await pair(session, fleet.tenant_id))
    assert (await fleet.get(path)).json()["status"] == "assigned"
    problem(await fleet.another(*FLEET).get(path), 404, "not-found")


async def test_twice_with_its_key_is_once(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    path, body = f"/v1/board/{booking.id}/accept", acceptance(await pair(session, fleet.tenant_id))
    answers = [await fleet.post(path, body, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert (await board(fleet))[0]["open_mt"] == 75


async def test_the_last_half_ton_is_taken_too(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session, quantity_mt=Decimal("25.5"))
    for tons, left in ((25, 0.5), (0.499, 0.001), (0.001, 0)):
        response = await accept(fleet, booking, await pair(session, fleet.tenant_id), tons)
        assert response.status_code == 201, response.text
        assert response.json()["open_mt"] == left


async def test_the_database_covers_no_more_than_there_is(session: AsyncSession) -> None:
    booking = await open_load(session)
    session.add(Coverage(booking_id=booking.id, quantity_mt=100, covered_mt=Decimal("100.001")))
    with pytest.raises(IntegrityError, match="ck_booking_coverage_covered_mt"):
        await session.flush()


async def test_nonsense(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    body = acceptance(await pair(session, fleet.tenant_id))
    for change in (
        {"load_mt": 0},
        {"load_mt": 0.0001},
        {"states": ["XX"]},
        {"pickup_at": "soon"},
        {"pickup_at": "9999-12-31T23:00:00Z"},
        {"pickup_at": "1999-12-31T23:59:59Z"},
        {"price": 1},
    ):
        path = f"/v1/board/{booking.id}/accept"
        problem(await send(fleet, "POST", path, {**body, **change}), 422, "invalid")
    problem(await fleet.get("/v1/board", cursor="x"), 400, "bad-cursor")
