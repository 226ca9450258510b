"""Where trucks are, as tracking tells it. The subject is the truck's id."""

from typing import Annotated, Final

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import DriverId, JsonNumber, Moment, TenantId, TripId, TruckId

TRUCK_POSITION_SAMPLED: Final = "in.ubertruck.truck.position_sampled.v1"


class TruckPositionSampled(EventData):
    """A truck's position is known, and it moved far or long enough since the one told before.

    Positions come late and out of order out of dead zones: the newest is the one with the greatest
    `sequence`, whatever came last.
    """

    truck_id: TruckId
    tenant_id: TenantId
    driver_id: DriverId | None = None
    trip_id: TripId | None = None
    lat: float = Field(ge=-90, le=90, description="WGS 84 degrees north", examples=[23.6913])
    lng: float = Field(ge=-180, le=180, description="WGS 84 degrees east", examples=[86.9512])
    accuracy_m: Annotated[
        JsonNumber | None, Field(ge=0, description="68 % radius, metres", examples=[8.0])
    ] = None
    speed_kmh: Annotated[JsonNumber | None, Field(ge=0, examples=[42.5])] = None
    heading_deg: Annotated[
        JsonNumber | None, Field(ge=0, lt=360, description="From true north", examples=[117.0])
    ] = None
    sequence: int = Field(ge=1, description="Counts the truck's positions", examples=[48213])
    recorded_at: Moment = Field(description="When the truck was there, by the device's clock")
    received_at: Moment = Field(description="When tracking learned of it")


EVENTS: Final = (Event(TRUCK_POSITION_SAMPLED, TruckPositionSampled, "tracking", ("booking",)),)
