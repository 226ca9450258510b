"""Trips end with the booking that they are for, as long as nothing is loaded."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Booking
from booking.statuses import Status
from booking.trips.models import Trip
from booking.trips.steps import CANCELLABLE, MOVES, TripStatus
from chassis.testing.issuer import Issuer
from contracts.trips import TRIP_CANCELLED, TripCancelled

from .factories import problem
from .rows import events_of
from .trips import journey, trip_row

REACHABLE = [leads for _, leads in MOVES.values()]


@pytest.mark.parametrize("status", [TripStatus.ASSIGNED, *REACHABLE])
async def test_by_how_far_the_truck_has_come(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer, status: TripStatus
) -> None:
    trip = await journey(session, client, issuer)
    if status != TripStatus.ASSIGNED:
        await trip.reach(status)
    kept = await session.get_one(Trip, trip.trip_id, populate_existing=True)
    version, told_before = kept.version, len(await events_of(session, str(trip.trip_id)))
    response = await trip.sender.cancel(str(kept.booking_id), reason="The mine is flooded")
    await session.refresh(kept)
    events = await events_of(session, str(trip.trip_id))
    if status in CANCELLABLE:
        assert response.status_code == 200, response.text
        assert (kept.status, kept.version) == (TripStatus.CANCELLED, version + 1)
        told = TripCancelled.model_validate(events[-1]["data"])
        assert events[-1]["type"] == TRIP_CANCELLED
        assert (told.previous_status, told.reason) == (status, "The mine is flooded")
        actions = await session.scalars(text("SELECT action FROM audit_log ORDER BY id DESC"))
        assert actions.all()[:2] == ["booking.cancel", "trip.cancel"]
    else:
        problem(response, 409, "illegal-transition")
        assert (kept.status, kept.version, len(events)) == (status, version, told_before)
        booking = await session.get_one(Booking, kept.booking_id)
        await session.refresh(booking)
        assert (booking.status, booking.cancellation_fee_paise) == (Status.IN_PROGRESS, None)


async def test_truck_and_driver_are_free_again(
    session: AsyncSession, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    trip = await journey(session, client, issuer)
    kept = await session.get_one(Trip, trip.trip_id)
    assert (await trip.sender.cancel(str(kept.booking_id))).status_code == 200
    booking = await session.get_one(Booking, kept.booking_id)
    again = trip_row(
        booking, tenant_id=kept.tenant_id, truck_id=trip.truck_id, driver_id=trip.driver_id
    )
    session.add(again)
    await session.flush()
