"""Trips that will be late, by departure and by positions."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.distance import Point
from booking.events import HANDLERS
from booking.trips.outlook import EARLY, Way, arrival, is_late
from chassis.events import CloudEvent
from chassis.ids import new_id
from chassis.testing.issuer import Issuer
from contracts import trips as told
from contracts.positions import TRUCK_POSITION_SAMPLED

from .rows import events_of
from .trips import Journey, journey

# The way is from New Delhi to Mumbai, 1492.5 km by road: 4.3 days.
DELHI, HALFWAY, NEAR = (28.6139, 77.209), (23.85, 75.04), (19.3, 73.0)
RISKS = {told.TRIP_EWAY_BILL_AT_RISK, told.TRIP_DEADLINE_AT_RISK}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WAY = Way(pickup=Point(*DELHI), drop=Point(19.076, 72.8777), distance_m=1_492_500, deliver_by=None)


def test_what_is_left_to_drive() -> None:
    assert WAY.remaining_m(WAY.pickup) == pytest.approx(1_492_500)
    assert WAY.remaining_m(WAY.drop) == 0
    assert WAY.remaining_m(Point(*HALFWAY)) == pytest.approx(746_000, rel=0.02)
    assert arrival(NOW, remaining_m=700_000, km_per_day=350) == NOW + timedelta(days=2)


@given(minutes=st.integers(-600, 600))
def test_what_was_told_holds_until_it_is_clearly_over(minutes: int) -> None:
    estimated = NOW + timedelta(minutes=minutes)
    assert is_late(estimated, NOW, told=False) == (minutes >= 0)
    assert is_late(estimated, NOW, told=True) == (estimated >= NOW - EARLY)
    assert not is_late(estimated, None, told=True)


class Position:
    """Sends positions of one truck."""

    def __init__(self, session: AsyncSession, trip: Journey) -> None:
        self.session = session
        self.trip = trip
        self.sequence = 0

    async def __call__(
        self,
        place: tuple[float, float],
        *,
        sequence: int | None = None,
        recorded: timedelta = timedelta(),
        **more: Any,
    ) -> None:
        self.sequence += 1
        at = datetime.now(UTC)
        data: dict[str, Any] = {
            "truck_id": str(self.trip.truck_id),
            "tenant_id": str(self.trip.owner.tenant_id),
            "lat": place[0],
            "lng": place[1],
            "sequence": sequence or self.sequence,
            "recorded_at": (at + recorded).isoformat(),
            "received_at": at.isoformat(),
            **more,
        }
        event = CloudEvent(
            id=new_id(),
            source="/tracking",
            type=TRUCK_POSITION_SAMPLED,
            subject=data["truck_id"],
            time=at,
            aggregateversion=1,
            tenantid=UUID(data["tenant_id"]),
            data=data,
        )
        await HANDLERS[event.type](self.session, event)
        await self.session.flush()


@pytest.fixture
async def trip(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    return await journey(session, client, issuer, age=timedelta(days=3))


@pytest.fixture
def seen(session: AsyncSession, trip: Journey) -> Position:
    return Position(session, trip)


async def risks(session: AsyncSession, trip: Journey) -> list[str]:
    events = await events_of(session, str(trip.trip_id))
    return [e["type"].split(".")[3] for e in events if e["type"] in RISKS]


async def due(session: AsyncSession, trip: Journey, days: float) -> None:
    await session.execute(
        text(
            "UPDATE bookings SET deliver_by = now() + make_interval(hours => :hours)"
            " WHERE id = (SELECT booking_id FROM trips WHERE id = :id)"
        ),
        {"hours": int(days * 24), "id": trip.trip_id},
    )
    session.expire_all()


async def departed(session: AsyncSession, trip: Journey, **loaded: Any) -> None:
    """In transit for two days, so that positions of since then speak of it."""
    await trip.reach("in_transit", **loaded)
    await session.execute(
        text("UPDATE trips SET updated_at = updated_at - interval '2 days' WHERE id = :id"),
        {"id": trip.trip_id},
    )
    session.expire_all()


async def test_a_deadline_at_risk_is_told_once(
    trip: Journey, session: AsyncSession, seen: Position
) -> None:
    await due(session, trip, 5)
    await departed(session, trip)
    assert await risks(session, trip) == []
    await due(session, trip, 3)
    for _ in range(3):
        await seen(DELHI)
    assert await risks(session, trip) == ["deadline_at_risk"]
    [event] = [
        e
        for e in await events_of(session, str(trip.trip_id))
        if e["type"] == told.TRIP_DEADLINE_AT_RISK
    ]
    said = told.TripDeadlineAtRisk.model_validate(event["data"])
    assert said.estimated_arrival > said.deliver_by
    # In time again, and late again: that is another change.
    await seen(HALFWAY)
    assert await risks(session, trip) == ["deadline_at_risk"]
    await seen(DELHI)
    assert await risks(session, trip) == ["deadline_at_risk"] * 2
    # What the driver steps by isn't moved by it.
    assert (await trip.driver.get(trip.path)).json()["version"] == 5


async def test_late_at_departure_already(trip: Journey, session: AsyncSession) -> None:
    await due(session, trip, 3)
    await trip.reach("in_transit")
    assert await risks(session, trip) == ["deadline_at_risk"]


async def test_a_bill_that_ends_on_the_way_is_told_once_and_after_an_extension_anew(
    trip: Journey, session: AsyncSession, seen: Position
) -> None:
    issued = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await departed(session, trip, eway_bill={"number": "331009876543", "issued_at": issued})
    await seen(HALFWAY)
    assert await risks(session, trip) == []
    await session.execute(
        text("UPDATE trips SET eway_bill_expires_at = now() + interval '7 hours' WHERE id = :id"),
        {"id": trip.trip_id},
    )
    session.expire_all()
    await seen(HALFWAY)
    await seen(HALFWAY)
    assert await risks(session, trip) == ["eway_bill_at_risk"]
    late = {"remaining_km": 750, "reason": "Rain"}
    assert (await trip.step("eway-bill/extend", late)).status_code == 200
    await seen(HALFWAY)
    assert await risks(session, trip) == ["eway_bill_at_risk"]


async def test_what_comes_late_does_not_mislead(
    trip: Journey, session: AsyncSession, seen: Position
) -> None:
    await due(session, trip, 3)
    await departed(session, trip)
    await session.execute(text("UPDATE trips SET deadline_at_risk = false"))
    before = await risks(session, trip)
    session.expire_all()
    await seen(NEAR, sequence=10)
    # Out of order, of an earlier trip, from before the departure.
    await seen(DELHI, sequence=9)
    await seen(DELHI, sequence=11, trip_id=str(uuid4()))
    await seen(DELHI, sequence=12, recorded=-timedelta(days=2, minutes=1))
    assert await risks(session, trip) == before
    # Out of a dead zone: a day and a half ago it was 2.1 days away.
    await seen(HALFWAY, sequence=13, recorded=-timedelta(days=1.5))
    assert await risks(session, trip) == before
    # A clock that is fast makes nobody late.
    await seen(HALFWAY, sequence=14, recorded=timedelta(days=5))
    assert await risks(session, trip) == before


async def test_only_a_truck_in_transit_is_judged(
    trip: Journey, session: AsyncSession, seen: Position
) -> None:
    await due(session, trip, 1)
    await trip.reach("loaded")
    await seen(DELHI)
    assert await risks(session, trip) == []


async def test_a_truck_without_a_trip_costs_one_indexed_look(session: AsyncSession) -> None:
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = await session.execute(
        text("EXPLAIN SELECT id FROM trips WHERE truck_id = :id AND trips.status = 'in_transit'"),
        {"id": uuid4()},
    )
    steps = "\n".join(row[0] for row in plan)
    # One of the indexes that begin with the truck.
    assert "Index Cond: (truck_id" in steps
