"""Use cases: a truck and a driver are held for a part of a booking.

The booking, the truck and the driver are locked in this order, so that of many who want the same
truck one gets it and the others are told, without a deadlock.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.coverage import cover, open_tons
from booking.assignment.errors import LoadCovered, LoadNotFound
from booking.assignment.models import OPEN
from booking.assignment.plan import against_schedule, planned
from booking.assignment.schemas import Acceptance
from booking.fleets.access import reached_by, refused_as
from booking.fleets.fitness import Load, Window
from booking.fleets.models import Driver, Truck
from booking.fleets.pairs import against_pair, lock_pair
from booking.fleets.service import Caller
from booking.models import Booking
from booking.statuses import Status
from booking.transitions import lock_booking, move
from booking.trips.access import BUSY, named, tell
from booking.trips.errors import NotFit
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from chassis.audit import record_audit
from chassis.ids import new_id
from contracts.booking import BOOKING_ASSIGNED, BookingAssigned
from contracts.trips import TRIP_ASSIGNED, TripAssigned
from contracts.values import Money, Place


async def accept_load(
    session: AsyncSession,
    *,
    caller: Caller,
    booking_id: UUID,
    wanted: Acceptance,
    km_per_day: int,
) -> tuple[Trip, Decimal]:
    """A fleet takes a part of a load; the trip, and the tons that stay open."""
    booking = await open_booking(session, booking_id)
    truck, driver = await lock_pair(
        session,
        reached_by(caller.grant, Truck),
        truck_id=wanted.truck_id,
        driver_id=wanted.driver_id,
    )
    window = planned(wanted.pickup_at, distance_m=booking.distance_m, km_per_day=km_per_day)
    return await assign(
        session,
        caller=caller,
        booking=booking,
        truck=truck,
        driver=driver,
        tons=wanted.load_mt,
        window=window,
        states=wanted.states,
    )


async def open_booking(session: AsyncSession, booking_id: UUID) -> Booking:
    """The booking, locked; raises `LoadNotFound` unless trucks may be found for it."""
    booking = await lock_booking(session, Booking.id == booking_id, Booking.status.in_(OPEN))
    if booking is None:
        raise LoadNotFound
    return booking


async def require_open(session: AsyncSession, booking: Booking, tons: Decimal) -> Decimal:
    """What stays open of a locked booking without so many tons; raises `LoadCovered`."""
    left = await open_tons(session, booking) - tons
    if left < 0:
        raise LoadCovered(f"{left + tons:f} t are open.", open_mt=float(left + tons))
    return left


async def assign(
    session: AsyncSession,
    *,
    caller: Caller,
    booking: Booking,
    truck: Truck,
    driver: Driver,
    tons: Decimal,
    window: Window,
    states: Collection[str] = (),
    agreed_paise: int | None = None,
) -> tuple[Trip, Decimal]:
    """Hold truck and driver, both of one fleet and both locked, for so many tons of the booking.

    `agreed_paise` is what the fleet gets for it, where that was agreed by a bid. Raises
    `LoadCovered`, `NotFit`, `TruckBusy`, `DriverBusy`.
    """
    left = await require_open(session, booking, tons)
    at = datetime.now(UTC)
    await require_fit(session, booking, truck, driver, tons, window, states, at=at)
    trip = Trip(
        id=new_id(),
        booking_id=booking.id,
        tenant_id=truck.tenant_id,
        shipper_tenant_id=booking.tenant_id,
        truck_id=truck.id,
        driver_id=driver.id,
        load_mt=tons,
        agreed_paise=agreed_paise,
        planned=Range(window.begin, window.until),
        status=TripStatus.ASSIGNED,
        version=1,
        created_at=at,
        updated_at=at,
    )
    session.add(trip)
    async with refused_as(BUSY):
        await session.flush()
    await cover(session, booking, tons)
    await _tell_assigned(session, booking, trip, truck, driver, window)
    by = caller.grant.principal.subject
    if booking.status is Status.CONFIRMED:
        await _first_assigned(session, booking, by=by, at=at, tons=tons, left=left)
    await record_audit(
        session,
        actor=by,
        action="trip.assign",
        target=f"trip/{trip.id}",
        tenant_id=trip.tenant_id,
        source_ip=caller.source_ip,
        details={"booking_id": str(booking.id), "load_mt": str(tons)},
    )
    return trip, left


async def require_fit(
    session: AsyncSession,
    booking: Booking,
    truck: Truck,
    driver: Driver,
    tons: Decimal,
    window: Window,
    states: Collection[str],
    *,
    at: datetime,
) -> None:
    """Raise `NotFit` with every reason against it."""
    load = Load(material=booking.material_type, tons=tons, states=states)
    reasons = [
        *against_schedule(booking, window, at=at),
        *await against_pair(session, truck, driver, window, load=load),
    ]
    if reasons:
        raise NotFit.because(reasons)


async def _tell_assigned(
    session: AsyncSession,
    booking: Booking,
    trip: Trip,
    truck: Truck,
    driver: Driver,
    window: Window,
) -> None:
    data = TripAssigned(
        **named(trip),
        driver_user_id=driver.subject,
        registration_number=truck.registration_number,
        material_type=booking.material_type,
        load_mt=trip.load_mt,
        pickup_location=Place(
            lat=booking.pickup_lat, lng=booking.pickup_lng, address=booking.pickup_address
        ),
        drop_location=Place(
            lat=booking.drop_lat, lng=booking.drop_lng, address=booking.drop_address
        ),
        planned_from=window.begin,
        planned_until=window.until,
        assigned_at=trip.created_at,
        agreed=None if trip.agreed_paise is None else Money(amount=trip.agreed_paise),
    )
    await tell(session, trip, TRIP_ASSIGNED, data)


async def _first_assigned(
    session: AsyncSession, booking: Booking, *, by: str, at: datetime, tons: Decimal, left: Decimal
) -> None:
    told = BookingAssigned(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        assigned_mt=tons,
        open_mt=left,
        assigned_at=at,
    )
    await move(session, booking, Status.ASSIGNED, by=by, at=at, told=(BOOKING_ASSIGNED, told))
