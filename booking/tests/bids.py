"""Bids for tests: placed by fleets, answered by whoever booked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from booking.bids.models import Bid, BidStatus
from booking.models import Booking
from chassis.ids import new_id

from .factories import SHIPPER, Caller
from .loads import SOON, Pair, acceptance

UNTIL = datetime.now(UTC) + timedelta(days=1)


def offer(pair: Pair, load_mt: float = 25, **changes: Any) -> dict[str, Any]:
    return acceptance(
        pair, load_mt, **{"price_paise": 1_000_000, "valid_until": UNTIL.isoformat(), **changes}
    )


async def bid(
    fleet: Caller, booking: Booking, pair: Pair, load_mt: float = 25, **changes: Any
) -> httpx.Response:
    return await fleet.post(f"/v1/board/{booking.id}/bids", offer(pair, load_mt, **changes))


async def placed(
    fleet: Caller, booking: Booking, pair: Pair, load_mt: float = 25, **changes: Any
) -> dict[str, Any]:
    """A bid that is open, as its fleet sees it."""
    response = await bid(fleet, booking, pair, load_mt, **changes)
    assert response.status_code == 201, response.text
    return response.json()


async def answer(
    caller: Caller, bid: dict[str, Any], verb: str, body: object = None, **headers: str
) -> httpx.Response:
    path = f"/v1/booking/{bid['booking_id']}/bids/{bid['bid_id']}/{verb}"
    return await caller.post(path, body, **headers)


async def withdraw(fleet: Caller, bid: dict[str, Any]) -> httpx.Response:
    return await fleet.post(f"/v1/bids/{bid['bid_id']}/withdraw")


async def seen(fleet: Caller, bid: dict[str, Any]) -> dict[str, Any]:
    """How it stands."""
    response = await fleet.get(f"/v1/bids/{bid['bid_id']}")
    assert response.status_code == 200, response.text
    return response.json()


def owner_of(caller: Caller, booking: Booking) -> Caller:
    """Whoever may answer the bids on this booking."""
    return caller.another(*SHIPPER, tenant_id=booking.tenant_id)


def bid_row(booking: Booking, pair: Pair, **changes: Any) -> Bid:
    """A bid that is open."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "id": new_id(),
        "booking_id": booking.id,
        "tenant_id": pair.truck.tenant_id,
        "shipper_tenant_id": booking.tenant_id,
        "truck_id": pair.truck.id,
        "driver_id": pair.driver.id,
        "placed_by": "somebody",
        "load_mt": Decimal(25),
        "price_paise": 1_000_000,
        "pickup_at": SOON,
        "states": [],
        "valid_until": UNTIL,
        "status": BidStatus.OPEN,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    return Bid(**{**values, **changes})


def over() -> dict[str, datetime]:
    """Times of a bid that nobody answered."""
    now = datetime.now(UTC)
    long_ago = now - timedelta(hours=2)
    return {"created_at": long_ago, "updated_at": long_ago, "valid_until": now - timedelta(hours=1)}
