"""Whether a truck will come too late: judged at its departure, and by each newer position.

A trip remembers what was told of it, so that others hear of a change and not of each position. The
pace is the one that it departed by, whatever rules hold meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.distance import Point, great_circle_m
from booking.models import Booking
from booking.pace import driving_time
from booking.trips.access import named, tell
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from contracts.positions import TruckPositionSampled
from contracts.trips import (
    TRIP_DEADLINE_AT_RISK,
    TRIP_EWAY_BILL_AT_RISK,
    TripDeadlineAtRisk,
    TripEwayBillAtRisk,
)

# An estimate trembles: who was told to be late has to be this much early before that is over.
EARLY: Final = timedelta(hours=2)
# Spelled out, so that the index of trips under way serves it by any plan.
_IN_TRANSIT: Final = text("trips.status = 'in_transit'")


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """The whole way of a booking, metres by road, and when its goods are due."""

    pickup: Point
    drop: Point
    distance_m: int
    deliver_by: datetime | None

    def remaining_m(self, place: Point) -> float:
        """Metres by road to the drop: as much longer than the air line as the whole way is."""
        whole = great_circle_m(self.pickup, self.drop)
        left = great_circle_m(place, self.drop)
        return left * self.distance_m / whole if whole else left


def arrival(at: datetime, *, remaining_m: float, km_per_day: int) -> datetime:
    """When a truck that is so far away at `at` will probably be there."""
    return at + driving_time(remaining_m, km_per_day=km_per_day)


def is_late(estimated: datetime, due: datetime | None, *, told: bool) -> bool:
    """Whether it comes too late, or may still, where it was `told` to."""
    return due is not None and estimated >= due - (EARLY if told else timedelta())


async def judge(
    session: AsyncSession, trip: Trip, *, estimated: datetime, deliver_by: datetime | None
) -> None:
    """Note on the trip, which the caller holds, what is at risk; tell of what newly is."""
    bill = trip.eway_bill
    bill_was, deadline_was = trip.eway_bill_at_risk, trip.deadline_at_risk
    expires_at = None if bill is None else bill.expires_at
    trip.eway_bill_at_risk = is_late(estimated, expires_at, told=bill_was)
    trip.deadline_at_risk = is_late(estimated, deliver_by, told=deadline_was)
    at = datetime.now(UTC)
    if bill is not None and trip.eway_bill_at_risk and not bill_was:
        bill_at_risk = TripEwayBillAtRisk(
            **named(trip),
            eway_bill_number=bill.number,
            expires_at=bill.expires_at,
            estimated_arrival=estimated,
            extension_from=bill.extension_from,
            extension_until=bill.extension_until,
        )
        await tell(session, trip, TRIP_EWAY_BILL_AT_RISK, bill_at_risk, at=at)
    if deliver_by is not None and trip.deadline_at_risk and not deadline_was:
        deadline = TripDeadlineAtRisk(
            **named(trip), deliver_by=deliver_by, estimated_arrival=estimated
        )
        await tell(session, trip, TRIP_DEADLINE_AT_RISK, deadline, at=at)


async def judge_by_position(session: AsyncSession, told: TruckPositionSampled) -> None:
    """Judge the trip that the truck is in transit with, if there is one, by its newest position.

    Positions from before the trip's last change say nothing of it: the truck had not departed, or
    another one carried the load. Late ones count from when the truck was there.
    """
    found = await session.execute(
        select(
            Trip,
            Booking.pickup_lat,
            Booking.pickup_lng,
            Booking.drop_lat,
            Booking.drop_lng,
            Booking.distance_m,
            Booking.deliver_by,
        )
        .join(Booking, Booking.id == Trip.booking_id)
        .where(Trip.truck_id == told.truck_id, _IN_TRANSIT)
    )
    row = found.one_or_none()
    if row is None:
        return
    trip: Trip = row[0]
    if not _speaks_of(told, trip) or trip.km_per_day is None:
        return
    way = Way(
        pickup=Point(row.pickup_lat, row.pickup_lng),
        drop=Point(row.drop_lat, row.drop_lng),
        distance_m=row.distance_m,
        deliver_by=row.deliver_by,
    )
    estimated = arrival(
        # A device's clock may be fast.
        min(told.recorded_at, datetime.now(UTC)),
        remaining_m=way.remaining_m(Point(told.lat, told.lng)),
        km_per_day=trip.km_per_day,
    )
    if not _changes(trip, estimated, way.deliver_by):
        return
    await session.refresh(trip, with_for_update={"key_share": True})
    if trip.status == TripStatus.IN_TRANSIT and _speaks_of(told, trip):
        await judge(session, trip, estimated=estimated, deliver_by=way.deliver_by)


def _speaks_of(told: TruckPositionSampled, trip: Trip) -> bool:
    return (
        told.truck_id == trip.truck_id
        and told.trip_id in (None, trip.id)
        and told.recorded_at >= trip.updated_at
    )


def _changes(trip: Trip, estimated: datetime, deliver_by: datetime | None) -> bool:
    bill_was, deadline_was = trip.eway_bill_at_risk, trip.deadline_at_risk
    return (
        is_late(estimated, trip.eway_bill_expires_at, told=bill_was) != bill_was
        or is_late(estimated, deliver_by, told=deadline_was) != deadline_was
    )
