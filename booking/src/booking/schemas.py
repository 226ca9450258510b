"""Wire shapes. Unknown fields are refused; numbers are JSON numbers, never text."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self, cast
from uuid import UUID

from fastapi import Query
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from booking.arrangements import ARRANGED, Schedule
from booking.assignment.models import OPEN, Coverage
from booking.distance import Point
from booking.fields import Address, Instructions, Line, Moment, Phone, Quantity
from booking.models import Booking, Quote, StatusChange
from booking.pricing import PriceBasis
from booking.statuses import Status
from booking.tariff import Freight
from chassis.pagination import CursorParam, Limit
from contracts.booking import JsonNumber, Material, Money, Place


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


class Contact(Strict):
    """Whom to call."""

    name: Annotated[Line, StringConstraints(max_length=100)]
    phone: Phone


class ArrangementRequest(Strict):
    """When goods are fetched and brought, whom to call, what to heed: none of it moves the price.

    `pickup_from` and `pickup_until` go together.
    """

    pickup_from: Annotated[Moment | None, Field(description="When loading may begin")] = None
    pickup_until: Annotated[
        Moment | None, Field(description="When it must have begun; at most 90 days ahead")
    ] = None
    deliver_by: Annotated[
        Moment | None, Field(description="Not before a truck can be there by road")
    ] = None
    pickup_contact: Contact | None = None
    drop_contact: Contact | None = None
    instructions: Instructions | None = None

    @property
    def schedule(self) -> Schedule:
        """The times of it."""
        return Schedule(self.pickup_from, self.pickup_until, self.deliver_by)


class TransportRequest(ArrangementRequest):
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
    def is_plain(self) -> bool:
        """Whether it says nothing of the arrangement."""
        return self.model_fields_set.isdisjoint(ArrangementRequest.model_fields)

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


class AmendRequest(ArrangementRequest):
    """What is to change; what isn't named stays as it is, and null takes it away."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_named", "names nothing to change")
        return self


class CancelRequest(Strict):
    """Why a booking is called off."""

    reason: Line | None = None


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
    pickup_from: datetime | None
    pickup_until: datetime | None
    deliver_by: datetime | None
    pickup_contact: Contact | None
    drop_contact: Contact | None
    instructions: str | None


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
    cancellation_fee: Money | None = Field(description="Once it is cancelled, what that costs")

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


class CoverageOut(BaseModel):
    """What trips carry of a booking's tons, what trucks are sought for now, what was given up."""

    model_config = ConfigDict(title="Coverage")

    covered_mt: JsonNumber
    open_mt: JsonNumber
    given_up_mt: JsonNumber = Field(description="No truck was found for it in time")

    @classmethod
    def of(cls, booking: Booking, coverage: Coverage | None) -> "CoverageOut":
        covered, given_up = (
            (Decimal(0), Decimal(0))
            if coverage is None
            else (coverage.covered_mt, coverage.given_up_mt)
        )
        left = booking.quantity_mt - covered - given_up
        return cls(
            covered_mt=covered,
            open_mt=left if booking.status in OPEN else Decimal(0),
            given_up_mt=given_up,
        )


class BookingDetail(BookingOut):
    """A booking, how far trucks cover it, what its price was made from, and its steps so far."""

    model_config = ConfigDict(title="BookingDetail")

    coverage: CoverageOut
    price_basis: PriceBasis
    history: list[StatusChangeOut]

    @classmethod
    def of_history(
        cls, booking: Booking, coverage: Coverage | None, history: Sequence[StatusChange]
    ) -> "BookingDetail":
        return cls(
            coverage=CoverageOut.of(booking, coverage),
            price_basis=_basis(booking),
            history=[StatusChangeOut.model_validate(change) for change in history],
            **_booking(booking),
        )


def _basis(row: Quote | Booking) -> PriceBasis:
    return PriceBasis.read(row.price_basis)


def _booking(booking: Booking) -> dict[str, Any]:
    return {
        "booking_id": booking.id,
        "status": booking.status,
        "version": booking.version,
        "tenant_id": booking.tenant_id,
        "shipper_id": booking.shipper_id,
        "quote_id": booking.quote_id,
        "updated_at": booking.updated_at,
        "cancellation_fee": fee_of(booking),
        **_transport(booking),
    }


def fee_of(booking: Booking) -> Money | None:
    """What calling it off costs, once it is cancelled."""
    paise = booking.cancellation_fee_paise
    return None if paise is None else Money(amount=paise)


def _transport(row: Quote | Booking) -> dict[str, Any]:
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
        **{name: getattr(row, name) for name in ARRANGED},
    }
