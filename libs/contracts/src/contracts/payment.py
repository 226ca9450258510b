"""What payment answers to a booking. The subject of these events is the payment's id."""

from typing import Annotated, Final

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import BookingId, Moment, Money, Reason, TenantId

PAYMENT_RESERVED: Final = "in.ubertruck.payment.reserved.v1"
PAYMENT_DECLINED: Final = "in.ubertruck.payment.declined.v1"


class PaymentEvent(EventData):
    """What both say: which booking is meant, and which shipper's tenant pays."""

    booking_id: BookingId
    tenant_id: TenantId


class PaymentReserved(PaymentEvent):
    """Money or credit for the whole price of a booking is set aside."""

    amount: Money
    reserved_at: Moment
    reserved_until: Annotated[
        Moment | None, Field(description="When it lapses by itself; none when it doesn't")
    ] = None


class PaymentDeclined(PaymentEvent):
    """A booking gets neither money nor credit."""

    reason: Reason
    declined_at: Moment


EVENTS: Final = (
    Event(PAYMENT_RESERVED, PaymentReserved, "payment", ("booking", "notification")),
    Event(PAYMENT_DECLINED, PaymentDeclined, "payment", ("booking", "notification")),
)
