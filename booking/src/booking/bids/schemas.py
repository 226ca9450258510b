"""Wire shapes of bids."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from booking.assignment.schemas import Acceptance
from booking.bids.models import Bid, BidStatus
from booking.bids.rules import MOST_PAISE
from booking.fields import Line, Moment
from booking.fleets.kinds import TruckType
from booking.models import Booking
from booking.pricing import share_paise
from booking.schemas import Strict
from chassis.pagination import CursorParam, Limit
from contracts.values import JsonNumber, Money


class BidRequest(Acceptance):
    """A truck and a driver for a part of a load, at a price."""

    price_paise: Annotated[
        int,
        Field(strict=True, ge=1, le=MOST_PAISE, description="What the fleet wants for this part"),
    ]
    valid_until: Annotated[Moment, Field(description="At most `pickup_at`")]


class DeclineRequest(Strict):
    """Why a bid is turned down; the fleet reads it."""

    reason: Line | None = None


class BidFilter(Strict):
    """Which bids, newest first."""

    limit: Limit = 50
    cursor: CursorParam = None
    status: BidStatus | None = None


class _Bid(BaseModel):
    bid_id: UUID
    booking_id: UUID
    load_mt: JsonNumber
    price: Money
    pickup_at: datetime
    valid_until: datetime
    status: BidStatus
    reason: str | None = Field(description="Why it was declined, or has lapsed")
    trip_id: UUID | None = Field(description="Once it is accepted")
    created_at: datetime


class BidOut(_Bid):
    """A bid as its fleet sees it."""

    model_config = ConfigDict(title="Bid")

    truck_id: UUID
    driver_id: UUID
    states: list[str]

    @classmethod
    def of(cls, bid: Bid) -> "BidOut":
        return cls(
            **_common(bid), truck_id=bid.truck_id, driver_id=bid.driver_id, states=bid.states
        )


class ReceivedBid(_Bid):
    """A bid as whoever booked sees it: not whose it is, nor which truck and who drives it."""

    model_config = ConfigDict(title="ReceivedBid")

    truck_type: TruckType
    share: Money = Field(
        description="This part of the booking's price. What asks more only operators accept"
    )

    @classmethod
    def on(cls, booking: Booking, bid: Bid, truck_type: TruckType) -> "ReceivedBid":
        share = share_paise(
            price_paise=booking.price_paise, quantity_mt=booking.quantity_mt, load_mt=bid.load_mt
        )
        return cls(**_common(bid), truck_type=truck_type, share=Money(amount=share))


class BidAnswer(BaseModel):
    """What became of a bid, and for an accepted one its trip."""

    model_config = ConfigDict(title="BidAnswer")

    bid_id: UUID
    booking_id: UUID
    status: BidStatus
    reason: str | None
    trip_id: UUID | None
    load_mt: JsonNumber

    @classmethod
    def of(cls, bid: Bid) -> "BidAnswer":
        return cls(
            bid_id=bid.id,
            booking_id=bid.booking_id,
            status=bid.status,
            reason=bid.reason,
            trip_id=bid.trip_id,
            load_mt=bid.load_mt,
        )


def _common(bid: Bid) -> dict[str, Any]:
    return {
        "bid_id": bid.id,
        "booking_id": bid.booking_id,
        "load_mt": bid.load_mt,
        "price": Money(amount=bid.price_paise),
        "pickup_at": bid.pickup_at,
        "valid_until": bid.valid_until,
        "status": bid.status,
        "reason": bid.reason,
        "trip_id": bid.trip_id,
        "created_at": bid.created_at,
    }
