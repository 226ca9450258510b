"""Events of trucks and drivers, sent by booking. The subject is the truck's or driver's id.

Each tells the whole state, so that a reader may keep a copy by the newest `aggregateversion` alone.
Names, phones and licence numbers stay with booking.
"""

from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import (
    DriverId,
    Material,
    Moment,
    RegistrationNumber,
    TenantId,
    Tons,
    TruckId,
    UserId,
)

TRUCK_REGISTERED: Final = "in.ubertruck.fleet.truck_registered.v1"
TRUCK_CHANGED: Final = "in.ubertruck.fleet.truck_changed.v1"
DRIVER_REGISTERED: Final = "in.ubertruck.fleet.driver_registered.v1"
DRIVER_CHANGED: Final = "in.ubertruck.fleet.driver_changed.v1"
DOCUMENT_EXPIRED: Final = "in.ubertruck.fleet.document_expired.v1"

Changed = Annotated[
    tuple[str, ...], Field(description="Names of the changed fields", examples=[["capacity_mt"]])
]
Retired = Annotated[bool, Field(description="Takes no more trips", examples=[False])]


class TruckState(EventData):
    """A truck as its fleet describes it."""

    truck_id: TruckId
    tenant_id: TenantId
    registration_number: RegistrationNumber
    truck_type: str = Field(examples=["tipper"])
    capacity_mt: Tons
    materials: tuple[Material, ...] = Field(description="What it may carry")
    states: tuple[str, ...] = Field(
        description="Codes of the states it is permitted in; empty stands for all of India",
        examples=[["JH", "WB"]],
    )


class TruckRegistered(TruckState):
    """A fleet registered a truck."""

    registered_at: Moment


class TruckChanged(TruckState):
    """A truck's description or one of its documents changed, or it was retired."""

    changed: Changed
    retired: Retired
    changed_at: Moment


class DriverState(EventData):
    """A driver as the fleet describes him or her."""

    driver_id: DriverId
    tenant_id: TenantId
    user_id: Annotated[
        UserId | None, Field(description="`sub` of the driver's tokens; none before there is one")
    ]
    licence_expires_on: date = Field(examples=["2029-03-31"])


class DriverRegistered(DriverState):
    """A fleet registered a driver."""

    registered_at: Moment


class DriverChanged(DriverState):
    """A driver's description or licence changed, or he or she left the fleet."""

    changed: Changed
    retired: Retired
    changed_at: Moment


class DocumentExpired(EventData):
    """A document of a truck or a driver's licence ran out: no new trips until it is renewed."""

    holder_id: UUID = Field(examples=["01938d11-52b3-7a4c-b1d0-6c7d8e9f0a1b"])
    holder: Literal["truck", "driver"]
    tenant_id: TenantId
    kind: str = Field(description="Which document", examples=["insurance"])
    expired_on: date = Field(description="Its last day, in India", examples=["2026-11-23"])


EVENTS: Final = (
    Event(TRUCK_REGISTERED, TruckRegistered, "booking", ("tracking",)),
    Event(TRUCK_CHANGED, TruckChanged, "booking", ("tracking",)),
    Event(DRIVER_REGISTERED, DriverRegistered, "booking", ("tracking", "notification")),
    Event(DRIVER_CHANGED, DriverChanged, "booking", ("tracking", "notification")),
    Event(DOCUMENT_EXPIRED, DocumentExpired, "booking", ("notification",)),
)
