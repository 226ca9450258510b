"""The rows and events that use cases write, built from what they were given and from nothing else.

No I/O and no clock here; only the ids are fresh.
"""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import orjson

from booking.arrangements import ARRANGED
from booking.models import BOOKINGS, Booking, BookingRow, Quote, StatusChange
from booking.rendering import answer, requested_event
from booking.schemas import ArrangementRequest, Contact, TransportRequest, fee_of
from booking.statuses import Status
from booking.tariff import Price
from chassis.etags import etag
from chassis.events import EventKind
from chassis.group_transaction import Write
from chassis.idempotency import Answer, Claim
from chassis.ids import new_id
from chassis.tokens import Principal
from contracts.booking import BOOKING_REQUESTED, BookingAmended, BookingCancelled

SOURCE: Final = "/booking"
REQUESTED: Final = EventKind(source=SOURCE, type=BOOKING_REQUESTED)


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
        price_basis=orjson.loads(price.basis.to_json()),
        **_terms(principal=principal, request=request, price=price),
        **arranged(request),
    )


_VALUES: Final = attrgetter(*(column.key for column in BOOKINGS.columns))


def new_booking(
    *, principal: Principal, request: TransportRequest, price: Price, at: datetime
) -> BookingRow:
    """A booking at a price that nobody was quoted."""
    row = BookingRow(
        price_basis=price.basis.to_json().decode(),
        **_terms(principal=principal, request=request, price=price),
        **_requested(at),
    )
    if not request.is_plain:
        _arrange(row, arranged(request))
    return row


def booking_from_quote(quote: Quote, *, at: datetime) -> BookingRow:
    """A booking on the quote's terms."""
    terms = quote.terms()
    basis = orjson.dumps(terms.pop("price_basis")).decode()
    row = BookingRow(price_basis=basis, **terms, **_requested(at, quote_id=quote.id))
    _arrange(row, {name: getattr(quote, name) for name in ARRANGED})
    return row


def creation(row: BookingRow, *, claim: Claim | None) -> Write:
    """All that is committed of a new booking, and its answer."""
    return Write(
        id=row.id,
        row=_VALUES(row),
        event=REQUESTED.row(
            subject=row.id,
            tenant_id=row.tenant_id,
            aggregate_version=row.version,
            data=requested_event(row),
            occurred_at=row.created_at,
        ),
        answer=Answer(answer(row), headers={"etag": etag(row.version)}),
        claim=claim,
        alone=() if row.quote_id is None else (f"quote {row.quote_id}",),
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
        fee=fee_of(booking),
    )


def arranged(request: ArrangementRequest) -> dict[str, Any]:
    """The columns of `Arrangement` that a request names, with the values that it wants there."""
    named = {name: getattr(request, name) for name in ARRANGED if name in request.model_fields_set}
    return {
        name: value.model_dump() if isinstance(value, Contact) else value
        for name, value in named.items()
    }


def _arrange(row: BookingRow, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, orjson.dumps(value).decode() if isinstance(value, dict) else value)


def amended_event(booking: Booking, *, changed: tuple[str, ...], by: str) -> BookingAmended:
    """What others are told when a booking was amended: not contacts, which are about people."""
    return BookingAmended(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        shipper_id=booking.shipper_id,
        changed=changed,
        pickup_from=booking.pickup_from,
        pickup_until=booking.pickup_until,
        deliver_by=booking.deliver_by,
        amended_by=by,
        amended_at=booking.updated_at,
    )


def _requested(at: datetime, *, quote_id: UUID | None = None) -> dict[str, Any]:
    return {
        "id": new_id(),
        "quote_id": quote_id,
        "status": Status.REQUESTED,
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }


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
    }
