"""The rows and events that use cases write, built from what they were given and from nothing else.

No I/O and no clock here; only the ids are fresh.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from booking.models import Booking, Quote, Status, StatusChange
from booking.schemas import TransportRequest
from booking.tariff import Price
from chassis.ids import new_id
from chassis.tokens import Principal
from contracts.booking import BookingCancelled, BookingRequested, Money


def new_quote(
    *,
    principal: Principal,
    request: TransportRequest,
    price: Price,
    at: datetime,
    expires_at: datetime,
) -> Quote:
    """An offer of `price`."""
    return Quote(
        id=new_id(),
        created_at=at,
        expires_at=expires_at,
        **_terms(principal=principal, request=request, price=price),
    )


def new_booking(
    *, principal: Principal, request: TransportRequest, price: Price, at: datetime
) -> Booking:
    """A booking at a price that nobody was quoted."""
    return _requested(_terms(principal=principal, request=request, price=price), at=at)


def booking_from_quote(quote: Quote, *, at: datetime) -> Booking:
    """A booking on the quote's terms."""
    return _requested(quote.terms(), at=at, quote_id=quote.id)


def requested_event(booking: Booking) -> BookingRequested:
    """What others are told of a new booking."""
    return BookingRequested(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        pickup_location=booking.pickup,
        drop_location=booking.drop,
        material_type=booking.material_type,
        quantity_mt=booking.quantity_mt,
        distance_m=booking.distance_m,
        price=Money(amount=booking.price_paise),
        quote_id=booking.quote_id,
        requested_at=booking.created_at,
    )


def cancelled_event(booking: Booking, change: StatusChange) -> BookingCancelled:
    """What others are told when a booking was called off."""
    return BookingCancelled(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        previous_status=change.from_status,
        reason=change.reason,
        cancelled_by=change.changed_by,
        cancelled_at=change.changed_at,
    )


def _requested(terms: dict[str, Any], *, at: datetime, quote_id: UUID | None = None) -> Booking:
    return Booking(
        id=new_id(),
        quote_id=quote_id,
        status=Status.REQUESTED,
        version=1,
        created_at=at,
        updated_at=at,
        **terms,
    )


def _terms(*, principal: Principal, request: TransportRequest, price: Price) -> dict[str, Any]:
    return {
        "tenant_id": principal.tenant_id,
        "shipper_id": principal.subject,
        "pickup_lat": request.pickup_location.lat,
        "pickup_lng": request.pickup_location.lng,
        "pickup_address": request.pickup_location.address,
        "drop_lat": request.drop_location.lat,
        "drop_lng": request.drop_location.lng,
        "drop_address": request.drop_location.address,
        "material_type": request.material_type,
        "quantity_mt": request.quantity_mt,
        "distance_m": price.basis.distance_m,
        "price_paise": price.paise,
        "price_basis": price.basis.model_dump(mode="json"),
    }
