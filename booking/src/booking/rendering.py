"""A new booking as JSON: its answer, and what others are told of it.

To the byte what `schemas.BookingOut` and `contracts.booking.BookingRequested` would write, as a
test shows. Those check every field of what we have just made ourselves.
"""

from typing import Any

import orjson

from booking.models import BookingRow


def answer(row: BookingRow) -> bytes:
    """The body that answers its creation."""
    return _json(
        {
            **_transport(row),
            "created_at": row.created_at,
            "pickup_from": row.pickup_from,
            "pickup_until": row.pickup_until,
            "deliver_by": row.deliver_by,
            "pickup_contact": row.pickup_contact and orjson.Fragment(row.pickup_contact),
            "drop_contact": row.drop_contact and orjson.Fragment(row.drop_contact),
            "instructions": row.instructions,
            "booking_id": row.id,
            "status": row.status,
            "version": row.version,
            "tenant_id": row.tenant_id,
            "shipper_id": row.shipper_id,
            "quote_id": row.quote_id,
            "updated_at": row.updated_at,
            "cancellation_fee": None,
        }
    )


def requested_event(row: BookingRow) -> str:
    """The data of its event, as JSON text."""
    return _json(
        {
            "booking_id": row.id,
            "tenant_id": row.tenant_id,
            "shipper_id": row.shipper_id,
            **_transport(row),
            "quote_id": row.quote_id,
            "requested_at": row.created_at,
            "pickup_from": row.pickup_from,
            "pickup_until": row.pickup_until,
            "deliver_by": row.deliver_by,
        }
    ).decode()


def _transport(row: BookingRow) -> dict[str, Any]:
    return {
        "pickup_location": {
            "lat": row.pickup_lat,
            "lng": row.pickup_lng,
            "address": row.pickup_address,
        },
        "drop_location": {"lat": row.drop_lat, "lng": row.drop_lng, "address": row.drop_address},
        "material_type": row.material_type,
        "quantity_mt": float(row.quantity_mt),
        "distance_m": row.distance_m,
        "price": {"amount": row.price_paise, "currency": "INR"},
    }


def _json(document: dict[str, Any]) -> bytes:
    # The driver's UUIDs, which a quote brings, are a subclass that orjson doesn't know.
    return orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z)
