"""E-way bills on the way: recorded after a swap, replaced, extended."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.surge import INDIA
from booking.trips.evidence import verify
from booking.trips.models import Trip
from chassis.testing.issuer import Issuer
from contracts import trips as told

from .factories import problem
from .fleets import driver_row, truck_row
from .rows import events_of
from .trips import DRIVER, OWNER, SENDER, Journey, journey

NUMBER, OTHER = "331009876543", "441009876543"


@pytest.fixture
async def trip(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    return await journey(session, client, issuer)


def bill(number: str = NUMBER, ago: timedelta = timedelta(hours=1), **more: Any) -> dict[str, Any]:
    return {"number": number, "issued_at": (datetime.now(UTC) - ago).isoformat(), **more}


async def record(trip: Journey, body: object, **headers: str) -> httpx.Response:
    return await trip.step("eway-bill", body, **headers)


async def extend(trip: Journey, km: Any = 450, **more: Any) -> httpx.Response:
    body = {"remaining_km": km, "reason": "Landslide at Ramban", **more}
    return await trip.step("eway-bill/extend", body)


async def ending(
    session: AsyncSession, trip: Journey, in_: timedelta, *, days: int = 8
) -> datetime:
    """Move the end of the trip's bill; as if it had been issued long ago."""
    end = datetime.now(UTC) + in_
    await session.execute(
        text(
            "UPDATE trips SET eway_bill_expires_at = :end, eway_bill_issued_at = :begin"
            " WHERE id = :id"
        ),
        {"end": end, "begin": end - timedelta(days=days), "id": trip.trip_id},
    )
    session.expire_all()
    return end


async def told_of(session: AsyncSession, trip: Journey, kind: str) -> list[Any]:
    return [e for e in await events_of(session, str(trip.trip_id)) if e["type"] == kind]


async def last_entry(trip: Journey) -> dict[str, Any]:
    exported = await trip.owner.get(f"{trip.path}/evidence")
    assert verify(exported.content).fault is None
    return exported.json()["entries"][-1]


async def audited(session: AsyncSession, action: str) -> int:
    found = await session.execute(
        text("SELECT count(*) FROM audit_log WHERE action = :action"), {"action": action}
    )
    return found.scalar_one()


async def test_a_bill_that_came_late(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("loaded")
    assert (await trip.driver.get(trip.path)).json()["eway_bill"] is None
    response = await record(trip, bill())
    assert response.status_code == 200, response.text
    shown = response.json()
    assert (shown["eway_bill"]["number"], shown["eway_bill"]["names_truck"]) == (NUMBER, True)
    assert (shown["version"], response.headers["etag"]) == (5, '"5"')
    entry = await last_entry(trip)
    assert (entry["kind"], entry["data"]["previous_eway_bill"]) == ("eway_bill_recorded", None)
    [event] = await told_of(session, trip, told.TRIP_EWAY_BILL_RECORDED)
    said = told.TripEwayBillRecorded.model_validate(event["data"])
    assert (said.eway_bill_number, event["aggregate_version"]) == (NUMBER, 5)
    assert await audited(session, "trip.record-eway-bill") == 1


async def test_another_truck_is_named_and_the_time_stays(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("in_transit", eway_bill=bill())
    # By its distance it would be over: it was extended.
    end = await ending(session, trip, timedelta(days=1), days=20)
    truck, driver = (
        truck_row(tenant_id=trip.owner.tenant_id),
        driver_row(tenant_id=trip.owner.tenant_id),
    )
    session.add_all([truck, driver])
    await session.flush()
    body = {"truck_id": str(truck.id), "driver_id": str(driver.id), "reason": "Axle broken"}
    swapped = (await trip.owner.post(f"{trip.path}/swap-truck", body)).json()
    assert swapped["eway_bill"]["names_truck"] is False
    again = {"number": NUMBER, "issued_at": swapped["eway_bill"]["issued_at"]}
    path = f"{trip.path}/eway-bill"
    named = (await trip.owner.post(path, again)).json()
    assert named["eway_bill"]["names_truck"] is True
    assert datetime.fromisoformat(named["eway_bill"]["expires_at"]) == end
    assert (await last_entry(trip))["data"]["truck"] == truck.registration_number
    # Said once more it is no change.
    assert (await trip.owner.post(path, again)).json() == named
    assert len(await told_of(session, trip, told.TRIP_EWAY_BILL_RECORDED)) == 1


async def test_another_bill_takes_its_place(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("in_transit", eway_bill=bill())
    shown = (await record(trip, bill(OTHER, distance_km=150))).json()["eway_bill"]
    assert shown["number"] == OTHER
    issued = datetime.fromisoformat(shown["issued_at"]).astimezone(INDIA)
    expires = datetime.fromisoformat(shown["expires_at"]).astimezone(INDIA)
    assert expires.date() == issued.date() + timedelta(days=2)
    assert (await last_entry(trip))["data"]["previous_eway_bill"] == NUMBER


async def test_the_time_of_a_bill_is_corrected_but_not_put_off(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("in_transit", eway_bill=bill())
    end = await ending(session, trip, timedelta(hours=-48), days=3)
    for body in (bill(), bill(ago=timedelta(days=4), distance_km=1500)):
        problem(await record(trip, body), 409, "eway-bill-known")
    shown = (await trip.driver.get(trip.path)).json()["eway_bill"]
    assert datetime.fromisoformat(shown["expires_at"]) == end
    # As if the bill of an hour ago had been meant.
    end = await ending(session, trip, timedelta(days=8))
    earlier = await record(trip, bill(ago=timedelta(days=1)))
    assert earlier.status_code == 200, earlier.text
    assert datetime.fromisoformat(earlier.json()["eway_bill"]["expires_at"]) < end
    entry = await last_entry(trip)
    assert datetime.fromisoformat(entry["data"]["previous_expires_at"]) == end


async def test_the_same_request_again_is_the_same_change(
    trip: Journey, session: AsyncSession
) -> None:
    await trip.reach("loaded")
    body = bill()
    first = await record(trip, body, Idempotency_Key="k")
    again = await record(trip, body, Idempotency_Key="k")
    assert (again.status_code, again.content) == (200, first.content)
    problem(await record(trip, bill(OTHER), If_Match='"4"'), 412, "precondition-failed")
    assert len(await told_of(session, trip, told.TRIP_EWAY_BILL_RECORDED)) == 1


@pytest.mark.parametrize("hours", [-7.9, 7.9])
async def test_it_is_extended_around_its_end(
    trip: Journey, session: AsyncSession, hours: float
) -> None:
    await trip.reach("in_transit", eway_bill=bill())
    end = await ending(session, trip, timedelta(hours=hours))
    before = datetime.now(UTC)
    response = await extend(trip, 450)
    assert response.status_code == 200, response.text
    expires = datetime.fromisoformat(response.json()["eway_bill"]["expires_at"])
    # 450 km are three days, and the day of the extension besides.
    assert timedelta(days=3) < expires - before <= timedelta(days=4)
    entry = await last_entry(trip)
    assert (entry["kind"], entry["data"]["remaining_km"]) == ("eway_bill_extended", 450)
    [event] = await told_of(session, trip, told.TRIP_EWAY_BILL_EXTENDED)
    said = told.TripEwayBillExtended.model_validate(event["data"])
    assert (said.previous_expires_at, said.expires_at) == (end, expires)
    assert await audited(session, "trip.extend-eway-bill") == 1
    # Extended it is, and not open to that any more.
    problem(await extend(trip, 450), 409, "eway-bill-extension-not-open")
    assert len(await told_of(session, trip, told.TRIP_EWAY_BILL_EXTENDED)) == 1


async def test_an_extension_is_written_down_later(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("in_transit", eway_bill=bill())
    end = await ending(session, trip, timedelta(hours=-9))
    problem(await extend(trip), 409, "eway-bill-extension-not-open")
    made = end + timedelta(hours=7)
    assert (await extend(trip, extended_at=made.isoformat())).status_code == 200
    assert (await last_entry(trip))["data"]["extended_at"].startswith(f"{made:%Y-%m-%dT%H:%M}")


BAD_BILLS: list[tuple[dict[str, Any], int, str]] = [
    (bill("1"), 422, "bad-eway-bill-number"),
    (bill(ago=timedelta(days=30)), 409, "eway-bill-expired"),
    (bill(ago=timedelta(days=-1)), 422, "eway-bill-from-the-future"),
    (bill(distance_km=4_000), 422, "distance-implausible"),
    (bill(distance_km=0), 422, "invalid"),
    ({"number": NUMBER}, 422, "invalid"),
    ({"number": NUMBER, "issued_at": "9999-12-31T20:00:00Z"}, 422, "invalid"),
    (bill(truck="JH10AB1234"), 422, "invalid"),
]
BAD_EXTENSIONS: list[tuple[dict[str, Any], int, str]] = [
    ({"km": 4_000}, 422, "distance-implausible"),
    ({"km": 0}, 422, "invalid"),
    ({"km": 12.5}, 422, "invalid"),
    ({"km": "450"}, 422, "invalid"),
    ({"extended_at": "2090-01-01T00:00:00Z"}, 422, "eway-bill-from-the-future"),
    ({"extended_at": "2020-01-01T00:00:00Z"}, 409, "eway-bill-extension-not-open"),
    ({"extended_at": 7}, 422, "invalid"),
    ({"reason": ""}, 422, "invalid"),
]


async def test_nonsense_changes_nothing(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("loaded")
    problem(await extend(trip), 409, "no-eway-bill")
    assert (await record(trip, bill())).status_code == 200
    await ending(session, trip, timedelta(hours=1))
    before = (await trip.driver.get(trip.path)).json()
    for body, status, slug in BAD_BILLS:
        problem(await record(trip, body), status, slug)
    for changes, status, slug in BAD_EXTENSIONS:
        problem(await extend(trip, **changes), status, slug)
    assert (await trip.driver.get(trip.path)).json() == before


async def test_only_what_is_carried_has_a_bill(trip: Journey) -> None:
    problem(await record(trip, bill()), 409, "nothing-carried")
    problem(await extend(trip), 409, "nothing-carried")
    await trip.reach("delivered", eway_bill=bill())
    problem(await record(trip, bill(OTHER)), 409, "nothing-carried")
    problem(await extend(trip), 409, "nothing-carried")


async def test_nobody_elses_bill(trip: Journey, session: AsyncSession) -> None:
    await trip.reach("in_transit", eway_bill=bill())
    await ending(session, trip, timedelta(hours=1))
    for other in (
        trip.driver.another(*DRIVER, tenant_id=trip.owner.tenant_id),
        trip.owner.another(*OWNER),
    ):
        path = f"{trip.path}/eway-bill"
        problem(await other.post(path, bill(OTHER)), 404, "trip-not-found")
        late = {"remaining_km": 1, "reason": "Rain"}
        problem(await other.post(f"{path}/extend", late), 404, "trip-not-found")
    sender = trip.sender.another(*SENDER, tenant_id=trip.sender.tenant_id)
    problem(await sender.post(f"{trip.path}/eway-bill", bill(OTHER)), 403, "permission-missing")
    assert (await session.get_one(Trip, UUID(str(trip.trip_id)))).eway_bill_number == NUMBER
