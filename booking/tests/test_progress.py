"""A booking follows its trips: the rule, and what their steps write of it."""

from collections.abc import Sequence
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.models import Booking
from booking.statuses import Status
from booking.trips.models import Trip
from booking.trips.progress import WAY, standing
from booking.trips.steps import CANCELLABLE, MOVES, TripStatus
from chassis.testing.issuer import Issuer
from contracts.booking import BookingCompleted, BookingDelivered, BookingStarted

from .rows import events_of
from .trips import LOADED, Journey, journey

ASSIGNED, LOADED_ONE, AT_DROP, DELIVERED, CLOSED, CANCELLED = (
    TripStatus.ASSIGNED,
    TripStatus.LOADED,
    TripStatus.AT_DROP,
    TripStatus.DELIVERED,
    TripStatus.CLOSED,
    TripStatus.CANCELLED,
)
NEXT = dict(MOVES.values())
statuses = st.lists(st.sampled_from(TripStatus), max_size=5)
tons = st.sampled_from([Decimal(0), Decimal("0.001"), Decimal(25)])


@pytest.mark.parametrize(
    ("trips", "open_mt", "stands"),
    [
        ([], 100, Status.CONFIRMED),
        ([CANCELLED, CANCELLED], 0, Status.CONFIRMED),
        ([ASSIGNED, CANCELLED], 0, Status.ASSIGNED),
        ([TripStatus.AT_PICKUP], 75, Status.ASSIGNED),
        ([LOADED_ONE, ASSIGNED], 0, Status.IN_PROGRESS),
        ([DELIVERED, ASSIGNED], 0, Status.IN_PROGRESS),
        ([DELIVERED, AT_DROP], 0, Status.IN_PROGRESS),
        ([DELIVERED, CLOSED], "0.001", Status.IN_PROGRESS),
        ([CLOSED], 1, Status.IN_PROGRESS),
        ([DELIVERED, CLOSED, CANCELLED], 0, Status.DELIVERED),
        ([CLOSED, CLOSED, CANCELLED], 0, Status.COMPLETED),
    ],
)
def test_where_a_booking_stands(
    trips: Sequence[TripStatus], open_mt: int | str, stands: Status
) -> None:
    assert standing(trips, Decimal(open_mt)) == stands


@given(statuses, tons, st.data())
def test_no_step_takes_a_booking_back(
    trips: list[TripStatus], open_mt: Decimal, data: st.DataObject
) -> None:
    before = standing(trips, open_mt)
    moving = [place for place, status in enumerate(trips) if status in NEXT]
    if not moving:
        return
    place = data.draw(st.sampled_from(moving))
    after = standing([*trips[:place], NEXT[trips[place]], *trips[place + 1 :]], open_mt)
    assert WAY.index(after) >= WAY.index(before)


@given(statuses, tons, st.data())
def test_calling_off_takes_back_only_what_was_not_begun(
    trips: list[TripStatus], open_mt: Decimal, data: st.DataObject
) -> None:
    before = standing(trips, open_mt)
    possible = [place for place, status in enumerate(trips) if status in CANCELLABLE]
    if not possible:
        return
    place = data.draw(st.sampled_from(possible))
    after = standing([*trips[:place], CANCELLED, *trips[place + 1 :]], open_mt + 25)
    allowed = {Status.ASSIGNED, Status.CONFIRMED} if before == Status.ASSIGNED else {before}
    assert after in allowed


async def whole(session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    """A trip that is all of its booking."""
    return await journey(session, client, issuer, quantity_mt=Decimal(25))


async def booking_of(session: AsyncSession, trip: Journey) -> Booking:
    kept = await session.get_one(Trip, trip.trip_id)
    return await session.get_one(Booking, kept.booking_id, populate_existing=True)


async def test_one_trip_takes_its_booking_all_the_way(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await whole(session, client, issuer)
    booking = await booking_of(session, trip)
    for _, leads in MOVES.values():
        await trip.advance(leads)
        await session.refresh(booking)
        assert booking.status == standing([leads], Decimal(0))
    events = await events_of(session, str(booking.id))
    assert [event["type"].split(".")[-2] for event in events] == [
        "started",
        "delivered",
        "completed",
    ]
    assert [event["aggregate_version"] for event in events] == [4, 5, 6]
    started, delivered, completed = (event["data"] for event in events)
    assert BookingStarted.model_validate(started).shipper_id == booking.shipper_id
    assert BookingDelivered.model_validate(delivered).delivered_mt == 25
    assert BookingCompleted.model_validate(completed).delivered_mt == 25
    answered = (await trip.sender.get(f"/v1/booking/{booking.id}")).json()
    steps = [(each["to_status"], each["changed_by"]) for each in answered["history"]]
    driver = str(trip.driver.subject)
    assert steps == [(status, driver) for status in ("in_progress", "delivered", "completed")]


async def test_with_tons_open_it_is_not_delivered(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    await trip.reach("closed")
    assert (await booking_of(session, trip)).status == Status.IN_PROGRESS


async def test_what_older_code_left_behind_is_caught_up(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await whole(session, client, issuer)
    await trip.reach("at_drop")
    booking = await booking_of(session, trip)
    booking.status = Status.ASSIGNED
    await session.flush()
    assert (await trip.deliver()).status_code == 200
    assert (await booking_of(session, trip)).status == Status.DELIVERED


async def test_a_refused_step_moves_nothing(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await whole(session, client, issuer)
    await trip.reach("at_pickup")
    assert (await trip.load(gross_kg=LOADED["tare_kg"])).status_code == 422
    booking = await booking_of(session, trip)
    assert (booking.status, booking.version) == (Status.ASSIGNED, 3)
    coverage = await session.get_one(Coverage, booking.id)
    assert coverage.open_mt == 0
