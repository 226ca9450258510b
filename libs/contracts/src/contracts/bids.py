"""Events of a bid: what a fleet asks for a part of a booking. Sent by booking, by the bid's id.

`tenant_id` is the fleet's, `shipper_tenant_id` that of whoever booked. A bid changes once: it is
accepted, or it ends some other way.
"""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from contracts.events import Event, EventData
from contracts.values import (
    BookingId,
    Moment,
    Money,
    Reason,
    ShipperTenantId,
    TenantId,
    Tons,
    TripId,
    TruckId,
    UserId,
)

BID_PLACED: Final = "in.ubertruck.bid.placed.v1"
BID_ACCEPTED: Final = "in.ubertruck.bid.accepted.v1"
BID_DECLINED: Final = "in.ubertruck.bid.declined.v1"
BID_WITHDRAWN: Final = "in.ubertruck.bid.withdrawn.v1"
BID_LAPSED: Final = "in.ubertruck.bid.lapsed.v1"

BidId = Annotated[UUID, Field(examples=["01938e62-4c1b-7f05-a9d7-3e4f5a6b7c8d"])]


class BidEvent(EventData):
    """What every event of a bid says: which one, for which booking, and whom it concerns."""

    bid_id: BidId
    booking_id: BookingId
    tenant_id: TenantId
    shipper_tenant_id: ShipperTenantId
    placed_by: UserId
    load_mt: Tons
    price: Money


class BidPlaced(BidEvent):
    """A fleet asks a price for a part of a booking, and waits for an answer until `valid_until`."""

    shipper_id: UserId
    truck_id: TruckId
    pickup_at: Moment
    valid_until: Moment
    placed_at: Moment


class BidAccepted(BidEvent):
    """A bid was taken: its truck and driver are held, as `trip.assigned` of that trip tells."""

    trip_id: TripId
    accepted_by: UserId
    accepted_at: Moment


class BidDeclined(BidEvent):
    """A bid was turned down."""

    reason: Reason | None
    declined_by: UserId
    declined_at: Moment


class BidWithdrawn(BidEvent):
    """A fleet took its bid back before it was answered."""

    withdrawn_by: UserId
    withdrawn_at: Moment


class BidLapsed(BidEvent):
    """A bid can't be taken any more: its time is over, the load is gone, or its truck is."""

    reason: Reason
    lapsed_at: Moment


EVENTS: Final = (
    Event(BID_PLACED, BidPlaced, "booking", ("notification",)),
    Event(BID_ACCEPTED, BidAccepted, "booking", ("notification",)),
    Event(BID_DECLINED, BidDeclined, "booking", ("notification",)),
    Event(BID_WITHDRAWN, BidWithdrawn, "booking", ("notification",)),
    Event(BID_LAPSED, BidLapsed, "booking", ("notification",)),
)
