"""Wire shapes. Unknown fields are refused; numbers are JSON numbers, never text."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from booking.distance import Point
from booking.models import Booking, Consignment, Quote, Status, StatusChange
from booking.pricing import PriceBasis
from booking.tariff import Freight, decimal_of_number
from chassis.pagination import CursorParam, Limit
from contracts.booking import JsonNumber, Material, Money, Place

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# Unicode's Cc, Zl and Zp: nothing that an address or a reason is written with.
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


def _one_line(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError("has control characters")
    return text


def _rfc_3339(text: object) -> object:
    # pydantic would also take seconds since 1970 and dates without a time.
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("must be a time with its offset, as 2026-11-24T09:30:00Z")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None


def _json_number(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("must be a number, not text")
    return decimal_of_number(value)


Address = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=10, max_length=500),
    AfterValidator(_one_line),
    Field(description="Without control characters; white space around it is dropped"),
]
Quantity = Annotated[
    JsonNumber,
    Field(ge=1, le=1000, decimal_places=3, strict=True),
    BeforeValidator(_json_number),
    WithJsonSchema(
        {
            "type": "number",
            "minimum": 1,
            "maximum": 1000,
            "description": "Metric tons, to the kilogram: at most three decimals",
        }
    ),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(_in_utc)]


class Strict(BaseModel):
    """What comes in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Location(Strict):
    """Where goods are fetched or brought, in WGS 84 degrees, with an address for people."""

    lat: Annotated[float, Field(strict=True, ge=-90, le=90)]
    lng: Annotated[float, Field(strict=True, ge=-180, le=180)]
    address: Address

    @property
    def point(self) -> Point:
        return Point(self.lat, self.lng)


class TransportRequest(Strict):
    """What is to be moved from where to where."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "pickup_location": {
                    "lat": 28.6139,
                    "lng": 77.209,
                    "address": "Connaught Place, New Delhi",
                },
                "drop_location": {
                    "lat": 19.076,
                    "lng": 72.8777,
                    "address": "Ballard Estate, Mumbai",
                },
                "material_type": "coal",
                "quantity_mt": 100,
            }
        }
    )

    pickup_location: Location
    drop_location: Location
    material_type: Material
    quantity_mt: Quantity

    @property
    def freight(self) -> Freight:
        """The part that has a price."""
        return Freight(
            pickup=self.pickup_location.point,
            drop=self.drop_location.point,
            material=self.material_type,
            quantity_mt=self.quantity_mt,
        )


class QuoteAcceptance(Strict):
    """The quote says everything, so its id stands alone."""

    quote_id: UUID


def _by_quote_or_in_full(value: object, _: ValidatorFunctionWrapHandler) -> BaseModel:
    # Not a union for pydantic to try: the caller would be told of the faults of both shapes.
    if not isinstance(value, dict) or "quote_id" not in value:
        return TransportRequest.model_validate(value)
    if not TransportRequest.model_fields.keys().isdisjoint(cast("dict[str, Any]", value)):
        raise PydanticCustomError(
            "quote_stands_alone", "quote_id stands alone: the quote already says what is moved"
        )
    return QuoteAcceptance.model_validate(value)


BookingRequest = Annotated[TransportRequest | QuoteAcceptance, WrapValidator(_by_quote_or_in_full)]


class CancelRequest(Strict):
    """Why a booking is called off."""

    reason: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
            AfterValidator(_one_line),
        ]
        | None
    ) = None


class BookingFilter(Strict):
    """Which bookings, newest first."""

    limit: Limit = 50
    cursor: CursorParam = None
    status: Status | None = None
    material_type: Material | None = None
    created_from: Annotated[Moment | None, Query(description="Not before")] = None
    created_to: Annotated[Moment | None, Query(description="Before, not at")] = None


class Transport(BaseModel):
    """What a quote and a booking have in common."""

    pickup_location: Place
    drop_location: Place
    material_type: Material
    quantity_mt: JsonNumber
    distance_m: int = Field(description="Length of the road, metres")
    price: Money
    created_at: datetime


class QuoteOut(Transport):
    """A price that holds until `expires_at`, and everything that it was made from."""

    model_config = ConfigDict(title="Quote")

    quote_id: UUID
    expires_at: datetime
    price_basis: PriceBasis

    @classmethod
    def of(cls, quote: Quote) -> "QuoteOut":
        return cls(
            quote_id=quote.id,
            expires_at=quote.expires_at,
            price_basis=_basis(quote),
            **_transport(quote),
        )


class BookingOut(Transport):
    """A booking; `version` rises by one with each change and is its ETag."""

    model_config = ConfigDict(title="Booking")

    booking_id: UUID
    status: Status
    version: int
    tenant_id: UUID
    shipper_id: str
    quote_id: UUID | None
    updated_at: datetime

    @classmethod
    def of(cls, booking: Booking) -> "BookingOut":
        return cls(**_booking(booking))


class StatusChangeOut(BaseModel):
    """One step of a booking's way."""

    model_config = ConfigDict(title="StatusChange", from_attributes=True)

    version: int
    from_status: Status
    to_status: Status
    changed_at: datetime
    changed_by: str
    reason: str | None


class BookingDetail(BookingOut):
    """A booking, what its price was made from, and the steps it has gone."""

    model_config = ConfigDict(title="BookingDetail")

    price_basis: PriceBasis
    history: list[StatusChangeOut]

    @classmethod
    def of_history(cls, booking: Booking, history: Sequence[StatusChange]) -> "BookingDetail":
        return cls(
            price_basis=_basis(booking),
            history=[StatusChangeOut.model_validate(change) for change in history],
            **_booking(booking),
        )


def _basis(row: Consignment) -> PriceBasis:
    return PriceBasis.model_validate(row.price_basis)


def _booking(booking: Booking) -> dict[str, Any]:
    return {
        "booking_id": booking.id,
        "status": booking.status,
        "version": booking.version,
        "tenant_id": booking.tenant_id,
        "shipper_id": booking.shipper_id,
        "quote_id": booking.quote_id,
        "updated_at": booking.updated_at,
        **_transport(booking),
    }


def _transport(row: Consignment) -> dict[str, Any]:
    return {
        "pickup_location": Place(
            lat=row.pickup_lat, lng=row.pickup_lng, address=row.pickup_address
        ),
        "drop_location": Place(lat=row.drop_lat, lng=row.drop_lng, address=row.drop_address),
        "material_type": row.material_type,
        "quantity_mt": row.quantity_mt,
        "distance_m": row.distance_m,
        "price": Money(amount=row.price_paise),
        "created_at": row.created_at,
    }
