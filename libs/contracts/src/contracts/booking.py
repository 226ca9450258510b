"""Events of a booking's life, sent by booking. Their subject is the booking's id."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import BookingId, Moment, Reason, TenantId, Tons, UserId

# Whoever reads these events finds their values here too.
from contracts.values import JsonNumber as JsonNumber
from contracts.values import Material as Material
from contracts.values import Money as Money
from contracts.values import Place as Place

BOOKING_REQUESTED: Final = "in.ubertruck.booking.requested.v1"
BOOKING_AMENDED: Final = "in.ubertruck.booking.amended.v1"
BOOKING_CONFIRMED: Final = "in.ubertruck.booking.confirmed.v1"
BOOKING_REJECTED: Final = "in.ubertruck.booking.rejected.v1"
BOOKING_ASSIGNED: Final = "in.ubertruck.booking.assigned.v1"
BOOKING_UNASSIGNED: Final = "in.ubertruck.booking.unassigned.v1"
BOOKING_STARTED: Final = "in.ubertruck.booking.started.v1"
BOOKING_DELIVERED: Final = "in.ubertruck.booking.delivered.v1"
BOOKING_COMPLETED: Final = "in.ubertruck.booking.completed.v1"
BOOKING_REST_EXPIRED: Final = "in.ubertruck.booking.rest_expired.v1"
BOOKING_CANCELLED: Final = "in.ubertruck.booking.cancelled.v1"
BOOKING_EXPIRED: Final = "in.ubertruck.booking.expired.v1"

Status = Annotated[str, Field(description="What the booking was before", examples=["requested"])]


class BookingEvent(EventData):
    """What every event of a booking says: which one, and whose."""

    booking_id: BookingId
    tenant_id: TenantId
    shipper_id: UserId


class BookingRequested(BookingEvent):
    """A shipper asked for transport, at this price."""

    pickup_location: Place
    drop_location: Place
    material_type: Material
    quantity_mt: Tons = Field(examples=[100])
    distance_m: int = Field(description="Length of the road, metres", examples=[310400])
    price: Money
    quote_id: UUID | None = Field(
        description="The quote whose terms it was booked on, if any",
        examples=["01938e59-03d7-7f3a-b2c1-8f9e0a1b2c3d"],
    )
    requested_at: Moment
    pickup_from: Moment | None = Field(
        default=None, description="When loading may begin, if it was said"
    )
    pickup_until: Moment | None = Field(default=None, description="When loading must have begun")
    deliver_by: Moment | None = None


class BookingAmended(BookingEvent):
    """The shipper changed what of a booking may still change; the schedule is given as it is now.

    People's names and numbers are left out: `changed` says that they did change.
    """

    changed: tuple[str, ...] = Field(
        description="Names of the changed fields", examples=[["deliver_by"]]
    )
    pickup_from: Moment | None = None
    pickup_until: Moment | None = None
    deliver_by: Moment | None = None
    amended_by: UserId
    amended_at: Moment


class BookingConfirmed(BookingEvent):
    """Payment stands behind a booking: trucks may be found for it."""

    confirmed_at: Moment


class BookingRejected(BookingEvent):
    """Payment doesn't stand behind a booking, which ends here."""

    reason: Reason | None
    rejected_at: Moment


class BookingAssigned(BookingEvent):
    """The first trucks are found for a booking; `open_mt` is the part that still has none."""

    assigned_mt: Tons = Field(examples=[75])
    open_mt: Tons = Field(examples=[25])
    assigned_at: Moment


class BookingUnassigned(BookingEvent):
    """The last truck that was held for a booking was called off: it waits for trucks again."""

    open_mt: Tons = Field(examples=[100])
    unassigned_at: Moment


class BookingStarted(BookingEvent):
    """The first truck of a booking is loaded: it is in progress."""

    started_at: Moment


class BookingDelivered(BookingEvent):
    """The last truck of a booking has delivered; what was given up is not in `delivered_mt`."""

    delivered_mt: Tons = Field(examples=[99.6])
    delivered_at: Moment


class BookingCompleted(BookingEvent):
    """Every trip of a booking is closed and nothing of it is left to do."""

    delivered_mt: Tons = Field(examples=[99.6])
    completed_at: Moment


class BookingCancelled(BookingEvent):
    """A booking was called off; `previous_status` says what has to be undone."""

    previous_status: Status
    reason: Reason | None
    cancelled_by: UserId
    cancelled_at: Moment
    fee: Annotated[
        Money | None, Field(description="What the shipper owes for it; none when not known")
    ] = None


class BookingRestExpired(BookingEvent):
    """For a part of a booking no truck was found in time: it won't be carried any more."""

    carried_mt: Tons = Field(description="What trucks carry or have carried", examples=[75])
    given_up_mt: Tons = Field(description="What was given up now", examples=[25])
    expired_at: Moment


class BookingExpired(BookingEvent):
    """A booking waited in vain, for payment or for trucks; `previous_status` says for which."""

    previous_status: Status
    expired_at: Moment


EVENTS: Final = (
    Event(BOOKING_REQUESTED, BookingRequested, "booking", ("payment", "notification")),
    Event(BOOKING_AMENDED, BookingAmended, "booking", ("notification",)),
    Event(BOOKING_CONFIRMED, BookingConfirmed, "booking", ("notification",)),
    Event(BOOKING_REJECTED, BookingRejected, "booking", ("notification",)),
    Event(BOOKING_ASSIGNED, BookingAssigned, "booking", ("notification",)),
    Event(BOOKING_UNASSIGNED, BookingUnassigned, "booking", ("notification",)),
    Event(BOOKING_STARTED, BookingStarted, "booking", ("notification",)),
    Event(BOOKING_DELIVERED, BookingDelivered, "booking", ("payment", "notification")),
    Event(BOOKING_COMPLETED, BookingCompleted, "booking", ("payment", "notification")),
    Event(BOOKING_REST_EXPIRED, BookingRestExpired, "booking", ("payment", "notification")),
    Event(BOOKING_CANCELLED, BookingCancelled, "booking", ("payment", "tracking", "notification")),
    Event(BOOKING_EXPIRED, BookingExpired, "booking", ("payment", "notification")),
)
