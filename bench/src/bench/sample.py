"""One booking as it really is, for what writes rows without booking: its values, by name.

It is made by the code of row d, and priced by the example that the platform starts with.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

from bench.bodies import bodies
from bench.subjects.usual.endpoints import answer_of
from bench.subjects.usual.idempotency import record_of
from bench.subjects.usual.rows import booking_of, event_of
from bench.subjects.usual.security import Shipper
from bench.tokens import shipper
from booking.distance import GreatCircle
from booking.models import Booking
from booking.schemas import TransportRequest
from booking.tariff import Price, Tariff
from chassis.canonical import checksum
from chassis.config_cache import ConfigValue

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_COLUMNS = (
    "pickup_lat",
    "pickup_lng",
    "pickup_address",
    "drop_lat",
    "drop_lng",
    "drop_address",
    "material_type",
    "quantity_mt",
    "distance_m",
    "price_paise",
    "status",
)


def sample_values() -> Mapping[str, str]:
    """Values of the columns of a booking, its event and its record, as text for `pgbench.sql`.

    Documents that hold the booking's id come as two parts, `*_head` and `*_tail`.
    """
    payload, who = bodies(1)[0], shipper(0)
    caller = Shipper(subject=str(who.subject), tenant_id=who.tenant_id)
    booking = _booking(payload, caller)
    event = event_of(booking, traceparent=TRACEPARENT)
    record = record_of(answer_of(booking), shipper=caller, key="sample", payload=payload)
    return {
        **{name: str(getattr(booking, name)) for name in _COLUMNS},
        "price_basis": _json(booking.price_basis),
        "event_type": event.type,
        "event_source": event.source,
        "traceparent": TRACEPARENT,
        **_halves("event", _json(event.data), booking),
        "route": record.route,
        "media_type": record.media_type,
        "answer_headers": _json(record.headers),
        **_halves("answer", record.body.decode(), booking),
    }


def _booking(payload: bytes, caller: Shipper) -> Booking:
    transport, at = TransportRequest.model_validate_json(payload), datetime.now(UTC)
    return booking_of(transport, shipper=caller, price=_price(transport, at), at=at)


def _price(transport: TransportRequest, at: datetime) -> Price:
    data = json.loads(files("config_service").joinpath("seeds/booking-pricing.json").read_text())
    prices = ConfigValue(data=data, version=1, checksum=checksum(data), last_modified=at)
    road = GreatCircle(road_factor=Decimal("1.3"))
    return Tariff.of(prices).price(transport.freight, distance=road, at=at)


def _halves(name: str, document: str, booking: Booking) -> Mapping[str, str]:
    head, tail = document.split(str(booking.id))
    return {f"{name}_head": head, f"{name}_tail": tail}


def _json(document: Any) -> str:
    return json.dumps(document)
