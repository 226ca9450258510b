"""A deadline that a booking may have is one that trucks are let to meet."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking
from booking.statuses import Status

from .factories import Caller, FakeSource, problem, transport, trip_rules
from .loads import accept, pair

PICKUP = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=2)
WINDOW = {
    "pickup_from": PICKUP.isoformat(),
    "pickup_until": (PICKUP + timedelta(hours=6)).isoformat(),
}


def due(at: datetime) -> dict[str, Any]:
    return {**WINDOW, "deliver_by": at.isoformat()}


async def said_soonest(shipper: Caller, path: str) -> datetime:
    """What the refusal of a deadline says, for a way of 1492.5 km."""
    # At 60 km/h, without a stop, a truck would be there.
    body = transport(**due(PICKUP + timedelta(hours=26)))
    [fault] = problem(await shipper.post(path, body), 422, "bad-schedule")["errors"]
    assert fault["pointer"] == "/deliver_by"
    assert "it takes 115 hours" in fault["message"]
    found = re.search(r"before (\S+Z), the soonest", fault["message"])
    assert found
    return datetime.strptime(found[1], "%Y-%m-%dT%H:%M%z")


async def test_a_truck_is_let_to_meet_the_soonest(
    shipper: Caller, fleet: Caller, session: AsyncSession
) -> None:
    soonest = await said_soonest(shipper, "/v1/booking")
    assert soonest == await said_soonest(shipper, "/v1/quotes")
    before = soonest - timedelta(minutes=1)
    refused = await shipper.post("/v1/booking", transport(**due(before)))
    problem(refused, 422, "bad-schedule")
    booked = await shipper.book(**due(soonest))
    refused = await shipper.amend(booked["booking_id"], 1, deliver_by=before.isoformat())
    problem(refused, 422, "bad-schedule")
    booking = await session.get_one(Booking, UUID(booked["booking_id"]))
    confirmed = {"status": Status.CONFIRMED, "version": 2}
    await session.execute(update(Booking).where(Booking.id == booking.id).values(**confirmed))
    one = await pair(session, fleet.tenant_id)
    taken = await accept(fleet, booking, one, pickup_at=PICKUP.isoformat())
    assert taken.status_code == 201, taken.text


async def test_it_follows_the_rules_of_the_road(shipper: Caller, source: FakeSource) -> None:
    body = transport(**due(PICKUP + timedelta(days=3)))
    problem(await shipper.post("/v1/booking", body), 422, "bad-schedule")
    source.trips = trip_rules(version=2, km_per_day=700)
    assert (await shipper.post("/v1/booking", body)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/booking", "/v1/quotes"])
async def test_only_deadlines_need_these_rules(
    shipper: Caller, source: FakeSource, path: str
) -> None:
    source.trips = None
    assert (await shipper.post(path, transport(**WINDOW))).status_code == 200
    late = transport(**due(PICKUP + timedelta(days=9)))
    problem(await shipper.post(path, late), 503, "configuration-unavailable")
