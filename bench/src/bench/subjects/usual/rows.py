"""What a request for transport becomes: a booking, and the event that tells of it."""

from datetime import datetime

import orjson

from bench.subjects.usual.models import OutboxEvent
from bench.subjects.usual.security import Shipper
from booking.models import Booking
from booking.schemas import TransportRequest
from booking.statuses import Status
from booking.tariff import Price
from chassis.ids import new_id
from contracts.booking import BOOKING_REQUESTED, BookingRequested, Money, Place


def booking_of(
    transport: TransportRequest, *, shipper: Shipper, price: Price, at: datetime
) -> Booking:
    """The booking, at this price."""
    pickup, drop = transport.pickup_location, transport.drop_location
    return Booking(
        id=new_id(),
        tenant_id=shipper.tenant_id,
        shipper_id=shipper.subject,
        pickup_lat=pickup.lat,
        pickup_lng=pickup.lng,
        pickup_address=pickup.address,
        drop_lat=drop.lat,
        drop_lng=drop.lng,
        drop_address=drop.address,
        material_type=transport.material_type,
        quantity_mt=transport.quantity_mt,
        distance_m=price.basis.distance_m,
        price_paise=price.paise,
        price_basis=orjson.loads(price.basis.to_json()),
        quote_id=None,
        status=Status.REQUESTED,
        version=1,
        created_at=at,
        updated_at=at,
    )


def event_of(booking: Booking, *, traceparent: str | None) -> OutboxEvent:
    """What others are told."""
    told = BookingRequested(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        pickup_location=Place(
            lat=booking.pickup_lat, lng=booking.pickup_lng, address=booking.pickup_address
        ),
        drop_location=Place(
            lat=booking.drop_lat, lng=booking.drop_lng, address=booking.drop_address
        ),
        material_type=booking.material_type,
        quantity_mt=booking.quantity_mt,
        distance_m=booking.distance_m,
        price=Money(amount=booking.price_paise),
        quote_id=booking.quote_id,
        requested_at=booking.created_at,
    )
    return OutboxEvent(
        id=new_id(),
        type=BOOKING_REQUESTED,
        source="/booking",
        subject=str(booking.id),
        tenant_id=booking.tenant_id,
        aggregate_version=booking.version,
        traceparent=traceparent,
        data=told.model_dump(mode="json"),
        occurred_at=booking.created_at,
    )
