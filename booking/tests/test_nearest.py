"""Automatic assignment, and the positions that it goes by."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import TruckPosition
from booking.assignment.nearest import MOST_TRUCKS
from booking.events import HANDLERS
from booking.trips.steps import TripStatus
from chassis.events import CloudEvent
from chassis.ids import new_id
from contracts.positions import TRUCK_POSITION_SAMPLED

from .factories import Caller, problem
from .fleets import driver_row, truck_row
from .loads import open_load, pair
from .trips import trip_row

# The load's pickup is New Delhi.
NEAR, FAR, FARTHER = (28.7, 77.1), (27.2, 78.0), (23.8, 86.4)


def operator(fleet: Caller) -> Caller:
    return fleet.another("trip:assign:all")


async def test_the_nearest_fitting_trucks_take_what_is_open(
    fleet: Caller, session: AsyncSession
) -> None:
    far = await pair(session, uuid4(), at=FAR)
    near = await pair(session, uuid4(), at=NEAR)
    farther = await pair(session, uuid4(), at=FARTHER)
    await pair(session, uuid4(), at=NEAR, materials=["sand"])
    await pair(session, uuid4(), at=NEAR, states=["DL"])
    await pair(session, uuid4(), at=NEAR, expires_on=datetime.now(UTC).date())
    await pair(session, uuid4())
    booking = await open_load(session, quantity_mt=Decimal(60))
    response = await operator(fleet).post(f"/v1/board/{booking.id}/assign")
    assert response.status_code == 200, response.text
    assigned = response.json()["assigned"]
    assert [one["truck_id"] for one in assigned] == [
        str(one.truck.id) for one in (near, far, farther)
    ]
    assert [one["load_mt"] for one in assigned] == [25.5, 25.5, 9]
    assert response.json()["open_mt"] == 0


async def test_where_the_way_is_known_trucks_with_its_permits_go_too(
    fleet: Caller, session: AsyncSession
) -> None:
    wide = await pair(session, uuid4(), at=FARTHER)
    permitted = await pair(session, uuid4(), at=FAR, states=["DL", "RJ", "MH"])
    await pair(session, uuid4(), at=NEAR, states=["DL"])
    booking = await open_load(session, quantity_mt=Decimal(50))
    path = f"/v1/board/{booking.id}/assign"
    problem(await operator(fleet).post(path, {"states": ["XX"]}), 422, "invalid")
    response = await operator(fleet).post(path, {"states": ["DL", "MH"]})
    taken = [one["truck_id"] for one in response.json()["assigned"]]
    assert taken == [str(permitted.truck.id), str(wide.truck.id)]


async def test_as_far_as_there_are_trucks_and_drivers(fleet: Caller, session: AsyncSession) -> None:
    await pair(session, uuid4(), at=NEAR)
    lonely = await pair(session, uuid4(), at=NEAR)
    await session.execute(
        text("UPDATE drivers SET licence_classes = '{MGV}' WHERE id = :id"),
        {"id": lonely.driver.id},
    )
    booking = await open_load(session)
    path = f"/v1/board/{booking.id}/assign"
    first = (await operator(fleet).post(path)).json()
    assert (len(first["assigned"]), first["open_mt"]) == (1, 74.5)
    again = (await operator(fleet).post(path)).json()
    assert (again["assigned"], again["open_mt"]) == ([], 74.5)


async def test_fleets_without_a_free_driver_are_passed_by(
    fleet: Caller, session: AsyncSession
) -> None:
    """However many trucks they have: more than would be tried."""
    idle, now = uuid4(), datetime.now(UTC)
    trucks = [truck_row(tenant_id=idle) for _ in range(MOST_TRUCKS + 1)]
    session.add_all([*trucks, driver_row(tenant_id=idle, licence_classes=["MGV"])])
    await session.flush()
    lat, lng = NEAR
    session.add_all(
        TruckPosition(truck_id=truck.id, sequence=1, lat=lat, lng=lng, recorded_at=now)
        for truck in trucks
    )
    far = await pair(session, uuid4(), at=FAR)
    booking = await open_load(session)
    response = await operator(fleet).post(f"/v1/board/{booking.id}/assign")
    taken = [one["truck_id"] for one in response.json()["assigned"]]
    assert taken == [str(far.truck.id)]


@pytest.mark.parametrize("held", ["planned", "under way"])
async def test_whom_a_trip_holds_is_not_free(
    fleet: Caller, session: AsyncSession, held: str
) -> None:
    """The truck is free, and of the fleet's drivers one is gone, the other on a trip."""
    tenant = uuid4()
    waiting, busy = await pair(session, tenant, at=NEAR), await pair(session, tenant)
    waiting.driver.retired_at = datetime.now(UTC)
    now = datetime.now(UTC)
    late = Range(now - timedelta(days=9), now - timedelta(days=1))
    how = {"status": TripStatus.IN_TRANSIT, "planned": late} if held == "under way" else {}
    of = await open_load(session, quantity_mt=Decimal(25))
    ids = {"truck_id": busy.truck.id, "driver_id": busy.driver.id}
    session.add(trip_row(of, tenant_id=tenant, **ids, **how))
    await session.flush()
    path = f"/v1/board/{(await open_load(session)).id}/assign"
    assert (await operator(fleet).post(path)).json()["assigned"] == []
    session.add(driver_row(tenant_id=tenant))
    await session.flush()
    [one] = (await operator(fleet).post(path)).json()["assigned"]
    assert one["truck_id"] == str(waiting.truck.id)


async def test_one_that_proves_unfit_takes_nothing_from_the_others(
    fleet: Caller, session: AsyncSession
) -> None:
    near = await pair(session, uuid4(), at=NEAR)
    far = await pair(session, uuid4(), at=FAR)
    booking = await open_load(session)
    absence = text(
        "INSERT INTO absences (id, truck_id, reason, period, created_at)"
        " VALUES (:id, :truck, 'maintenance', tstzrange(now(), now() + interval '9 days'), now())"
    )
    connection = (await session.connection()).sync_connection
    assert connection

    noted: list[str] = []

    def note_absence(on: Any, cursor: Any, statement: str, *_: Any) -> None:
        # Once it is found, as if it had been committed at that moment.
        if "truck_positions" in statement and not noted:
            noted.append(statement)
            on.execute(absence, {"id": new_id(), "truck": near.truck.id})

    event.listen(connection, "after_cursor_execute", note_absence)
    response = await operator(fleet).post(f"/v1/board/{booking.id}/assign")
    assert response.status_code == 200, response.text
    taken = [one["truck_id"] for one in response.json()["assigned"]]
    assert taken == [str(far.truck.id)]
    assert noted


async def test_a_schedule_that_suits_no_truck_is_said(fleet: Caller, session: AsyncSession) -> None:
    await pair(session, uuid4(), at=NEAR)
    soon = datetime.now(UTC) + timedelta(days=1)
    booking = await open_load(session, deliver_by=soon)
    refused = await operator(fleet).post(f"/v1/board/{booking.id}/assign")
    [reason] = problem(refused, 409, "not-fit")["reasons"]
    assert "must be there by" in reason


async def test_only_operators_and_only_open_loads(fleet: Caller, session: AsyncSession) -> None:
    booking = await open_load(session)
    path = f"/v1/board/{booking.id}/assign"
    problem(await fleet.post(path), 403, "permission-missing")
    problem(await fleet.another("trip:assign:tenant").post(path), 403, "permission-missing")
    problem(await operator(fleet).post(f"/v1/board/{uuid4()}/assign"), 404, "not-found")


def sampled(truck_id: UUID, tenant_id: UUID, sequence: int, lat: float) -> CloudEvent:
    at = datetime.now(UTC) - timedelta(minutes=1)
    return CloudEvent(
        id=new_id(),
        source="/tracking",
        type=TRUCK_POSITION_SAMPLED,
        subject=str(truck_id),
        time=at,
        aggregateversion=sequence,
        tenantid=tenant_id,
        data={
            "truck_id": str(truck_id),
            "tenant_id": str(tenant_id),
            "lat": lat,
            "lng": 77.1,
            "sequence": sequence,
            "recorded_at": at.isoformat(),
            "received_at": at.isoformat(),
        },
    )


async def test_the_newest_position_is_kept_whatever_comes_last(session: AsyncSession) -> None:
    truck = (await pair(session, uuid4())).truck
    keep = HANDLERS[TRUCK_POSITION_SAMPLED]
    for sequence in (2, 3, 1, 3):
        await keep(session, sampled(truck.id, truck.tenant_id, sequence, 20 + sequence))
    # Nobody else's fleet moves it, and of an unknown truck nothing is kept.
    await keep(session, sampled(truck.id, uuid4(), 9, 29))
    await keep(session, sampled(uuid4(), uuid4(), 9, 29))
    kept = await session.execute(text("SELECT truck_id, sequence, lat FROM truck_positions"))
    assert [tuple(row) for row in kept] == [(truck.id, 3, 23)]
