"""Events that booking sends. Readers ignore fields they don't know; money is in paise."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

BOOKING_REQUESTED: Final = "in.ubertruck.booking.requested.v1"
BOOKING_CANCELLED: Final = "in.ubertruck.booking.cancelled.v1"

JsonNumber = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]


class Material(StrEnum):
    """What may be moved."""

    COAL = "coal"
    IRON_ORE = "iron_ore"
    LIMESTONE = "limestone"
    FERTILIZER = "fertilizer"
    GRAIN = "grain"
    SAND = "sand"


class Money(BaseModel):
    """An amount in the smallest unit of its currency: 100 paise are one rupee."""

    model_config = ConfigDict(frozen=True)

    amount: int = Field(description="Paise", examples=[76000000])
    currency: Literal["INR"] = "INR"


class Place(BaseModel):
    """Where goods are fetched or brought: WGS 84 degrees and an address for people."""

    model_config = ConfigDict(frozen=True)

    lat: float
    lng: float
    address: str


class BookingRequested(BaseModel):
    """A shipper asked for transport, at this price."""

    model_config = ConfigDict(frozen=True)

    booking_id: UUID
    tenant_id: UUID
    shipper_id: str
    pickup_location: Place
    drop_location: Place
    material_type: Material
    quantity_mt: JsonNumber
    distance_m: int
    price: Money
    quote_id: UUID | None
    requested_at: datetime


class BookingCancelled(BaseModel):
    """A booking was called off; `previous_status` says what has to be undone."""

    model_config = ConfigDict(frozen=True)

    booking_id: UUID
    tenant_id: UUID
    shipper_id: str
    previous_status: str
    reason: str | None
    cancelled_by: str
    cancelled_at: datetime
