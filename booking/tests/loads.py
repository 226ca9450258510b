"""Loads on the board, and fleets that take them, for tests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import TruckPosition
from booking.fleets.models import Driver, Truck
from booking.models import Booking
from booking.statuses import Status

from .factories import Caller
from .fleets import driver_row, truck_row
from .rows import booking_row

SOON = datetime.now(UTC) + timedelta(days=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A truck and its driver."""

    truck: Truck
    driver: Driver


async def open_load(session: AsyncSession, **changes: Any) -> Booking:
    booking = booking_row(**{"status": Status.CONFIRMED, "version": 2, **changes})
    session.add(booking)
    await session.flush()
    return booking


async def pair(
    session: AsyncSession,
    tenant_id: UUID,
    *,
    at: tuple[float, float] | None = None,
    **changes: Any,
) -> Pair:
    """A truck with a driver; `at` is where it was last, north and east."""
    truck = truck_row(tenant_id=tenant_id, **changes)
    driver = driver_row(tenant_id=tenant_id)
    session.add_all([truck, driver])
    await session.flush()
    if at is not None:
        now = datetime.now(UTC)
        session.add(
            TruckPosition(truck_id=truck.id, sequence=1, lat=at[0], lng=at[1], recorded_at=now)
        )
        await session.flush()
    return Pair(truck=truck, driver=driver)


def acceptance(pair: Pair, load_mt: float = 25, **changes: Any) -> dict[str, Any]:
    return {
        "truck_id": str(pair.truck.id),
        "driver_id": str(pair.driver.id),
        "load_mt": load_mt,
        "pickup_at": SOON.isoformat(),
        **changes,
    }


async def accept(
    caller: Caller, booking: Booking, pair: Pair, load_mt: float = 25, **changes: Any
) -> httpx.Response:
    return await caller.post(f"/v1/board/{booking.id}/accept", acceptance(pair, load_mt, **changes))
