"""Use cases of an e-way bill while its goods are on a truck: another bill or truck, and more time.

Both are done on the government's portal; here they are written down, so that what the trip is
judged by is what an officer on the road would see.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.models import Truck
from booking.fleets.service import Caller
from booking.models import Booking
from booking.trips.access import lock_trip, named, note_change, reached_by, tell
from booking.trips.errors import (
    EwayBillFromTheFuture,
    EwayBillKnown,
    NoEwayBill,
    NothingCarried,
    RemainingImplausible,
)
from booking.trips.evidence import spelled
from booking.trips.eway_bill import EwayBill, eway_bill
from booking.trips.loading import require_holding
from booking.trips.models import Trip
from booking.trips.schemas import EwayBillRecord, ExtensionRequest
from booking.trips.steps import CARRYING
from chassis.etags import IfMatch
from contracts.trips import (
    TRIP_EWAY_BILL_EXTENDED,
    TRIP_EWAY_BILL_RECORDED,
    TripEwayBillExtended,
    TripEwayBillRecorded,
)

# The whole way is an estimate, which real roads and detours exceed; more than this is a mistake.
_MOST_OF_THE_WAY: Final = Decimal("1.5")


async def record_bill(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    request: EwayBillRecord,
) -> Trip:
    """The trip travels on this bill, whose Part B names the truck that carries the goods now.

    The number and time that the trip has already keep the bill's validity, extensions included:
    then only the truck is new. If that is the present one too, nothing changes. Another time for
    the same number corrects it, but never to hold longer; raises `EwayBillKnown`.
    """
    trip = await _carrying(session, caller=caller, trip_id=trip_id, seen=seen)
    at = datetime.now(UTC)
    whole_m = await _whole_way(session, trip)
    distance_m = whole_m if request.distance_km is None else request.distance_km * 1000
    _require_plausible(distance_m, whole_m)
    before = trip.eway_bill
    given = eway_bill(request.number, issued_at=request.issued_at, distance_m=distance_m)
    if before is not None and (before.number, before.issued_at) == (given.number, given.issued_at):
        if trip.eway_bill_truck_id == trip.truck_id:
            return trip
        bill = before
    else:
        require_holding(given, at=at)
        if before is not None and before.number == given.number:
            _require_no_longer(given, before)
        bill = given
    trip.travel_on(bill)
    truck = await session.get_one(Truck, trip.truck_id)
    await note_change(
        session,
        trip,
        kind="eway_bill_recorded",
        action="trip.record-eway-bill",
        by=caller.grant.principal.subject,
        source_ip=caller.source_ip,
        at=at,
        data={
            "eway_bill": bill.number,
            "eway_bill_issued_at": spelled(bill.issued_at),
            "eway_bill_expires_at": spelled(bill.expires_at),
            "truck": truck.registration_number,
            "previous_eway_bill": None if before is None else before.number,
            "previous_expires_at": None if before is None else spelled(before.expires_at),
        },
    )
    recorded = TripEwayBillRecorded(
        **named(trip),
        eway_bill_number=bill.number,
        expires_at=bill.expires_at,
        registration_number=truck.registration_number,
        previous_eway_bill_number=None if before is None else before.number,
        recorded_at=at,
    )
    await tell(session, trip, TRIP_EWAY_BILL_RECORDED, recorded)
    return trip


async def extend_bill(
    session: AsyncSession,
    *,
    caller: Caller,
    trip_id: UUID,
    seen: IfMatch | None,
    request: ExtensionRequest,
) -> Trip:
    """The bill holds for what is left to drive; raises `ExtensionNotOpen` at another time.

    An extension names the truck anew, so the bill names the present one afterwards.
    """
    trip = await _carrying(session, caller=caller, trip_id=trip_id, seen=seen)
    at = datetime.now(UTC)
    before = trip.eway_bill
    if before is None:
        raise NoEwayBill
    extended_at = request.extended_at or at
    if extended_at > at:
        raise EwayBillFromTheFuture("It says that it was extended later than now.")
    remaining_m = request.remaining_km * 1000
    _require_plausible(remaining_m, await _whole_way(session, trip))
    bill = before.extended(at=extended_at, remaining_m=remaining_m)
    trip.travel_on(bill)
    await note_change(
        session,
        trip,
        kind="eway_bill_extended",
        action="trip.extend-eway-bill",
        by=caller.grant.principal.subject,
        source_ip=caller.source_ip,
        at=at,
        data={
            "eway_bill": bill.number,
            "extended_at": spelled(extended_at),
            "remaining_km": request.remaining_km,
            "previous_expires_at": spelled(before.expires_at),
            "eway_bill_expires_at": spelled(bill.expires_at),
            "reason": request.reason,
        },
    )
    extended = TripEwayBillExtended(
        **named(trip),
        eway_bill_number=bill.number,
        previous_expires_at=before.expires_at,
        expires_at=bill.expires_at,
        extended_at=extended_at,
    )
    await tell(session, trip, TRIP_EWAY_BILL_EXTENDED, extended)
    return trip


async def _carrying(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, seen: IfMatch | None
) -> Trip:
    trip = await lock_trip(session, trip_id, reached_by(caller.grant))
    if seen is not None:
        seen.require(trip.version)
    if trip.status not in CARRYING:
        raise NothingCarried(f"It is {trip.status}.", status_now=trip.status)
    return trip


async def _whole_way(session: AsyncSession, trip: Trip) -> int:
    found = await session.execute(select(Booking.distance_m).where(Booking.id == trip.booking_id))
    return found.scalar_one()


def _require_no_longer(given: EwayBill, before: EwayBill) -> None:
    if given.issued_at > before.issued_at or given.expires_at > before.expires_at:
        raise EwayBillKnown(
            f"It was issued at {before.issued_at.isoformat()} and holds until "
            f"{before.expires_at.isoformat()}. More time is an extension."
        )


def _require_plausible(distance_m: int, whole_m: int) -> None:
    most = int(whole_m * _MOST_OF_THE_WAY) + 1000
    if distance_m > most:
        raise RemainingImplausible(
            f"The whole way is {whole_m / 1000:.1f} km long.", most_km=most // 1000
        )
