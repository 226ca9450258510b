"""Wire shapes of the board and of assignments."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from booking.fields import Moment, Tons
from booking.fleets.schemas import States
from booking.models import Booking
from booking.schemas import Strict
from booking.trips.models import Trip
from chassis.pagination import CursorParam, Limit
from contracts.values import JsonNumber, Material, Money

# A tenth of a degree is some 11 km: which town, and not which gate.
COARSE = 1


class BoardFilter(Strict):
    """One page of the board, newest first."""

    limit: Limit = 50
    cursor: CursorParam = None


class Area(BaseModel):
    """About where: WGS 84 degrees to a tenth."""

    lat: float
    lng: float


class OpenLoad(BaseModel):
    """A booking as fleets see it: neither whose it is, nor the gate."""

    model_config = ConfigDict(title="OpenLoad")

    booking_id: UUID
    material_type: Material
    quantity_mt: JsonNumber
    open_mt: JsonNumber = Field(description="What no truck is assigned for yet")
    pickup_area: Area
    drop_area: Area
    distance_m: int
    price: Money = Field(description="Of the whole booking")
    pickup_from: datetime | None
    pickup_until: datetime | None
    deliver_by: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, booking: Booking, open_mt: Decimal) -> "OpenLoad":
        return cls(
            booking_id=booking.id,
            material_type=booking.material_type,
            quantity_mt=booking.quantity_mt,
            open_mt=open_mt,
            pickup_area=_area(booking.pickup_lat, booking.pickup_lng),
            drop_area=_area(booking.drop_lat, booking.drop_lng),
            distance_m=booking.distance_m,
            price=Money(amount=booking.price_paise),
            pickup_from=booking.pickup_from,
            pickup_until=booking.pickup_until,
            deliver_by=booking.deliver_by,
            created_at=booking.created_at,
        )


Way = Annotated[
    States,
    Field(description="Those that the way leads through; a truck with a permit for some needs"),
]


class AssignRequest(Strict):
    """What is known of the way; without states only trucks with a national permit are taken."""

    states: Way = ()


class Acceptance(Strict):
    """A truck and a driver for a part of a load."""

    truck_id: UUID
    driver_id: UUID
    # What is left of a load may be less than any truck takes.
    load_mt: Annotated[JsonNumber, Tons(least=0.001, most=100, about="Metric tons")]
    pickup_at: Annotated[Moment, Field(description="When the truck is there to be loaded")]
    states: Way = ()


class AssignmentOut(BaseModel):
    """A trip that was assigned."""

    model_config = ConfigDict(title="Assignment")

    trip_id: UUID
    tenant_id: UUID
    truck_id: UUID
    driver_id: UUID
    load_mt: JsonNumber
    planned_from: datetime | None
    planned_until: datetime | None

    @classmethod
    def of(cls, trip: Trip) -> "AssignmentOut":
        return cls(
            trip_id=trip.id,
            tenant_id=trip.tenant_id,
            truck_id=trip.truck_id,
            driver_id=trip.driver_id,
            load_mt=trip.load_mt,
            planned_from=trip.planned.lower,
            planned_until=trip.planned.upper,
        )


class AssignmentsOut(BaseModel):
    """What was assigned, and how much of the booking has no truck yet."""

    model_config = ConfigDict(title="Assignments")

    booking_id: UUID
    assigned: list[AssignmentOut]
    open_mt: JsonNumber

    @classmethod
    def of(cls, booking_id: UUID, trips: Sequence[Trip], open_mt: Decimal) -> "AssignmentsOut":
        assigned = [AssignmentOut.of(trip) for trip in trips]
        return cls(booking_id=booking_id, assigned=assigned, open_mt=open_mt)


def _area(lat: float, lng: float) -> Area:
    return Area(lat=round(lat, COARSE), lng=round(lng, COARSE))
