"""Use cases of a trip: its steps from acceptance to the drop. Each runs in one transaction.

`booking.trips.handover` has those at which goods change hands.
"""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.service import Caller
from booking.models import Booking
from booking.trips.access import Road, begin_step, finish_step, named, tell
from booking.trips.errors import EwayBillExpired
from booking.trips.models import Trip
from booking.trips.outlook import arrival, judge
from booking.trips.steps import Step
from booking.trips.weights import kilograms
from chassis.etags import IfMatch
from contracts.trips import (
    TRIP_ACCEPTED,
    TRIP_ARRIVED_AT_DROP,
    TRIP_DEPARTED,
    TripAccepted,
    TripArrivedAtDrop,
    TripDeparted,
)


async def accept(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, seen: IfMatch | None
) -> Trip:
    """The driver takes the trip on."""
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=Step.ACCEPT, seen=seen)
    at = datetime.now(UTC)
    await finish_step(
        session,
        trip,
        Step.ACCEPT,
        caller=caller,
        at=at,
        data={
            "booking_id": str(trip.booking_id),
            "truck_id": str(trip.truck_id),
            "driver_id": str(trip.driver_id),
            "planned_kg": kilograms(trip.load_mt),
        },
    )
    await tell(session, trip, TRIP_ACCEPTED, TripAccepted(**named(trip), accepted_at=at))
    return trip


async def depart(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, seen: IfMatch | None, road: Road
) -> Trip:
    """The loaded truck leaves, with an e-way bill that still holds where it has one."""
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=Step.DEPART, seen=seen)
    at = datetime.now(UTC)
    ruling = road.rules.current()
    if trip.eway_bill_expires_at is not None and trip.eway_bill_expires_at <= at:
        raise EwayBillExpired(f"It was valid until {trip.eway_bill_expires_at.isoformat()}.")
    booked = await session.execute(
        select(Booking.distance_m, Booking.deliver_by).where(Booking.id == trip.booking_id)
    )
    distance_m, deliver_by = booked.one()
    trip.km_per_day = ruling.rules.km_per_day
    await finish_step(
        session, trip, Step.DEPART, caller=caller, at=at, data={"rules": ruling.evidence}
    )
    departed = TripDeparted(
        **named(trip), departed_at=at, eway_bill_expires_at=trip.eway_bill_expires_at
    )
    await tell(session, trip, TRIP_DEPARTED, departed)
    estimated = arrival(at, remaining_m=distance_m, km_per_day=ruling.rules.km_per_day)
    await judge(session, trip, estimated=estimated, deliver_by=deliver_by)
    return trip


async def arrive_at_drop(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, seen: IfMatch | None
) -> Trip:
    """The truck is at the drop. What was late is seen from the entry's time."""
    step = Step.ARRIVE_AT_DROP
    trip = await begin_step(session, caller=caller, trip_id=trip_id, step=step, seen=seen)
    at = datetime.now(UTC)
    await finish_step(session, trip, step, caller=caller, at=at, data={})
    arrived = TripArrivedAtDrop(**named(trip), arrived_at=at)
    await tell(session, trip, TRIP_ARRIVED_AT_DROP, arrived)
    return trip
