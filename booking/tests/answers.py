"""Payment's answers, as payment would send them."""

from datetime import UTC, datetime

from pydantic import BaseModel

from booking.models import Booking
from chassis.events import CloudEvent
from chassis.ids import new_id
from contracts.booking import Money
from contracts.payment import (
    PAYMENT_DECLINED,
    PAYMENT_RESERVED,
    PaymentDeclined,
    PaymentReserved,
)


def reserved(booking: Booking) -> CloudEvent:
    told = PaymentReserved(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        amount=Money(amount=booking.price_paise),
        reserved_at=datetime.now(UTC),
    )
    return _sent(PAYMENT_RESERVED, booking, told)


def declined(booking: Booking, *, reason: str = "Credit limit reached") -> CloudEvent:
    told = PaymentDeclined(
        booking_id=booking.id,
        tenant_id=booking.tenant_id,
        reason=reason,
        declined_at=datetime.now(UTC),
    )
    return _sent(PAYMENT_DECLINED, booking, told)


def _sent(event_type: str, booking: Booking, told: BaseModel) -> CloudEvent:
    return CloudEvent(
        id=new_id(),
        source="/payment",
        type=event_type,
        subject=str(new_id()),
        time=datetime.now(UTC),
        aggregateversion=1,
        tenantid=booking.tenant_id,
        data=told.model_dump(mode="json"),
    )
