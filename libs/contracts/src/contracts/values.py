"""What the data of events are made of: one meaning, one description and one example each.

A field of the same kind has the same name and type in every event, so that a reader learns it once.
"""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

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

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [{"lat": 23.7957, "lng": 86.4304, "address": "Jharia coalfield, Dhanbad"}]
        },
    )

    lat: float = Field(description="Degrees north")
    lng: float = Field(description="Degrees east")
    address: str


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc), Field(examples=["2026-11-24T09:30:00Z"])]

BookingId = Annotated[UUID, Field(examples=["01938e5a-7c1e-7b60-9d5c-0f1a2b3c4d5e"])]
TripId = Annotated[UUID, Field(examples=["01938e6b-10aa-7d3e-8c5f-5a6b7c8d9e0f"])]
TruckId = Annotated[UUID, Field(examples=["01938d11-52b3-7a4c-b1d0-6c7d8e9f0a1b"])]
DriverId = Annotated[UUID, Field(examples=["01938d12-98e4-7f11-a2c3-7d8e9f0a1b2c"])]
TenantId = Annotated[
    UUID,
    Field(
        description="The tenant that the event's subject belongs to",
        examples=["01938c00-3f5a-7c2d-8e1b-1a2b3c4d5e6f"],
    ),
]
ShipperTenantId = Annotated[
    UUID,
    Field(
        description="The tenant whose goods are moved",
        examples=["01938c00-7d10-7e44-93aa-2b3c4d5e6f70"],
    ),
]
UserId = Annotated[
    str,
    Field(
        description="`sub` of a user's token; `/` and a name for a service acting by itself",
        examples=["01938c21-64f2-7b18-8d0e-3c4d5e6f7081"],
    ),
]
Tons = Annotated[
    JsonNumber,
    Field(ge=0),
    WithJsonSchema(
        {
            "type": "number",
            "minimum": 0,
            "description": "Metric tons, to the kilogram",
            "examples": [25.5],
        }
    ),
]
Digest = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 in hexadecimal",
        examples=["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"],
    ),
]
Reason = Annotated[
    str, Field(description="For people to read", examples=["Plant closed for maintenance"])
]
RegistrationNumber = Annotated[
    str, Field(description="Of a vehicle, without blanks", examples=["JH10AB1234"])
]
EwayBillNumber = Annotated[str, Field(pattern=r"^[0-9]{12}$", examples=["331009876543"])]
