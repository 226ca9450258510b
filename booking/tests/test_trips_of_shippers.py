"""What whoever booked reads of a trip."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking
from booking.trips.evidence import verify
from booking.trips.models import Trip
from chassis.testing.issuer import Issuer

from .factories import SHIPPER, problem
from .trips import OWNER, Journey, journey

FLEETS = {"tenant_id", "truck_id", "driver_id", "phone", "licence_number", "shipper_tenant_id"}


@pytest.fixture
async def trip(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    return await journey(session, client, issuer)


async def seen(trip: Journey) -> dict[str, Any]:
    response = await trip.sender.get(trip.path)
    assert response.status_code == 200, response.text
    return response.json()


def codes(shown: dict[str, Any]) -> list[tuple[str, bool]]:
    return [
        (shown["codes"][end]["state"], shown["codes"][end]["due"]) for end in ("pickup", "drop")
    ]


async def test_the_way_as_its_shipper_sees_it(trip: Journey) -> None:
    first = await trip.sender.get(trip.path)
    shown = first.json()
    assert first.headers["etag"] == '"1"'
    assert not FLEETS & shown.keys()
    assert shown["truck"].keys() == {"registration_number", "truck_type"}
    assert (shown["driver_name"], shown["loaded"]) == ("Ramesh Kumar", None)
    assert codes(shown) == [("not_issued", True), ("not_issued", False)]
    await trip.code("pickup")
    assert codes(await seen(trip)) == [("issued", True), ("not_issued", False)]
    await trip.reach("at_drop")
    shown = await seen(trip)
    assert codes(shown) == [("used", False), ("not_issued", True)]
    assert shown["loaded"]["net_kg"] == 25_000
    assert shown["lorry_receipt_number"].endswith("/000001")
    assert shown["transit_pass_number"] == "JH-DHN-2026-0012345"
    assert (await trip.deliver(net_kg=24_000)).status_code == 200
    shown = await seen(trip)
    assert (shown["status"], shown["delivered"]["net_kg"]) == ("delivered", 24_000)
    claim = shown["shortage_claim"]
    assert (claim["claimed_kg"], claim["claimed"]) == (1000, {"amount": 450_000, "currency": "INR"})


async def test_wrong_codes_are_seen(trip: Journey) -> None:
    await trip.reach("accepted")
    right = await trip.code("pickup")
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for _ in range(5):
        problem(await trip.step("arrive-at-pickup", {"code": wrong}), 422, "wrong-code")
    blocked = (await seen(trip))["codes"]["pickup"]
    assert blocked["state"] == "blocked"
    assert blocked["blocked_until"] is not None
    await trip.code("pickup")
    assert (await seen(trip))["codes"]["pickup"]["state"] == "issued"


async def test_papers_are_the_shippers_too(trip: Journey) -> None:
    problem(await trip.sender.get(f"{trip.path}/lorry-receipt"), 409, "nothing-loaded")
    await trip.reach("loaded")
    for paper in ("evidence", "lorry-receipt"):
        theirs = await trip.sender.get(f"{trip.path}/{paper}")
        assert theirs.content == (await trip.owner.get(f"{trip.path}/{paper}")).content
    exported = await trip.sender.get(f"{trip.path}/evidence")
    assert verify(exported.content).fault is None


async def test_trips_of_a_booking_are_listed(
    trip: Journey, session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    other = await journey(session, client, issuer, tenant_id=trip.owner.tenant_id)
    row = await session.get_one(Trip, trip.trip_id)
    shown = await seen(trip)
    everything = await trip.sender.get("/v1/trips")
    assert everything.json()["items"] == [shown]
    one = await trip.sender.get("/v1/trips", booking_id=str(row.booking_id), status="assigned")
    assert one.json()["items"] == [shown]
    assert (await trip.sender.get("/v1/trips", booking_id=str(uuid4()))).json()["items"] == []
    # Their fleet goes on seeing both, as its own.
    fleet = (await trip.owner.get("/v1/trips")).json()["items"]
    assert {item["trip_id"] for item in fleet} == {str(trip.trip_id), str(other.trip_id)}
    assert all("truck_id" in item for item in fleet)


async def test_who_books_with_the_own_fleet_sees_it_whole(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    house = uuid4()
    own = await journey(session, client, issuer, tenant_id=house)
    bought = await journey(session, client, issuer, shipper=house)
    both = own.owner.another(*OWNER, *SHIPPER, tenant_id=house)
    page = (await both.get("/v1/trips", limit=1)).json()
    [first] = page["items"]
    [second] = (await both.get("/v1/trips", cursor=page["next_cursor"])).json()["items"]
    assert (first["trip_id"], "truck_id" in first) == (str(bought.trip_id), False)
    assert (second["trip_id"], "truck_id" in second) == (str(own.trip_id), True)


async def test_nobody_else_sees_it(trip: Journey, session: AsyncSession) -> None:
    tenant = trip.sender.tenant_id
    row = await session.get_one(Trip, trip.trip_id)
    booking = await session.get_one(Booking, row.booking_id)
    others = (
        trip.sender.another(*SHIPPER),
        trip.sender.another("booking:read:own", tenant_id=tenant),
        # By way of a trip of one's fleet: that is read by `trip:read` or `fleet:read`.
        trip.sender.another("booking:read", tenant_id=trip.owner.tenant_id),
        trip.sender.another("booking:read:assigned", tenant_id=tenant),
    )
    for other in others:
        for path in (trip.path, f"{trip.path}/evidence", f"{trip.path}/lorry-receipt"):
            problem(await other.get(path), 404, "trip-not-found")
        assert (await other.get("/v1/trips")).json()["items"] == []
    nobody = trip.sender.another("payment:read", tenant_id=tenant)
    problem(await nobody.get(trip.path), 403, "permission-missing")
    for somebody in (
        trip.sender.another("booking:read:all"),
        trip.sender.another("booking:read:own", tenant_id=tenant, subject=UUID(booking.shipper_id)),
    ):
        assert (await somebody.get(trip.path)).json() == await seen(trip)
