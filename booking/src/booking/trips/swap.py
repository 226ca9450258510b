"""A truck that can't go on: another one of the fleet takes load, papers and evidence over."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.fitness import Load, Window
from booking.fleets.models import Driver, Truck
from booking.fleets.pairs import against_pair, lock_pair
from booking.fleets.service import Caller
from booking.models import Booking
from booking.trips.access import Road, lock_trip, named, note_change, reached_by, tell
from booking.trips.errors import NotFit, NothingSwapped, NotSwappable
from booking.trips.models import Place, Trip
from booking.trips.records import net_kg
from booking.trips.schemas import SwapRequest
from booking.trips.steps import SWAPPABLE
from booking.trips.weights import tons
from chassis.etags import IfMatch
from contracts.trips import TRIP_TRUCK_SWAPPED, TripTruckSwapped

# Of a trip that is late already nobody knows the end: it takes a day at least.
_LEAST: Final = timedelta(days=1)


async def swap_truck(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    request: SwapRequest,
    road: Road,
) -> Trip:
    """Another truck, another driver, or both. Another fleet's are not found; busy ones are 409."""
    trip = await lock_trip(session, trip_id, reached_by(caller.grant))
    if seen is not None:
        seen.require(trip.version)
    if trip.status not in SWAPPABLE:
        raise NotSwappable(f"It is {trip.status}.", status_now=trip.status)
    before_truck, before_driver = trip.truck_id, trip.driver_id
    if (before_truck, before_driver) == (request.truck_id, request.driver_id):
        raise NothingSwapped
    at = datetime.now(UTC)
    truck, driver, window = await _fit(session, trip, request, road, at=at)
    trip.truck_id, trip.driver_id = truck.id, driver.id
    # Held from now on until its new end, so that what they have then already is in the way.
    trip.planned = Range(min(trip.planned.lower or at, at), window.until)
    await note_change(
        session,
        trip,
        kind="truck_swapped",
        action="trip.swap-truck",
        by=caller.grant.principal.subject,
        source_ip=caller.source_ip,
        at=at,
        data={
            "from_truck_id": str(before_truck),
            "from_driver_id": str(before_driver),
            "to_truck_id": str(truck.id),
            "to_driver_id": str(driver.id),
            "truck": truck.registration_number,
            "driver": driver.name,
            "driver_licence": driver.licence_number,
            "reason": request.reason,
        },
    )
    swapped = TripTruckSwapped(
        **named(trip),
        previous_truck_id=before_truck,
        previous_driver_id=before_driver,
        registration_number=truck.registration_number,
        driver_user_id=driver.subject,
        reason=request.reason,
        swapped_at=at,
    )
    await tell(session, trip, TRIP_TRUCK_SWAPPED, swapped)
    return trip


async def _fit(
    session: AsyncSession, trip: Trip, request: SwapRequest, road: Road, *, at: datetime
) -> tuple[Truck, Driver, Window]:
    """Truck and driver, both locked as assignment locks them, and how long they carry on."""
    truck, driver = await lock_pair(
        session,
        Truck.tenant_id == trip.tenant_id,
        truck_id=request.truck_id,
        driver_id=request.driver_id,
    )
    booking = await session.get_one(Booking, trip.booking_id)
    load = Load(
        material=booking.material_type,
        tons=tons(await net_kg(session, trip, Place.PICKUP)),
        states=request.states,
        tolerance_percent=road.rules.current().rules.weights.overload_tolerance_percent,
    )
    window = Window(begin=at, until=max(trip.planned.upper or at, at + _LEAST))
    reasons = await against_pair(session, truck, driver, window, load=load)
    if reasons:
        raise NotFit.because(reasons)
    return truck, driver, window
