"""Rows that tests put into the database themselves, and what they look up there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.distance import GreatCircle
from booking.models import Booking, Quote
from booking.schemas import TransportRequest
from booking.statuses import Status
from booking.tariff import Tariff
from chassis.ids import new_id
from contracts.booking import Material

from .factories import Caller, configuration, transport

ROAD = GreatCircle(road_factor=Decimal("1.3"))


def terms(**changes: Any) -> dict[str, Any]:
    """The columns that quotes and bookings share."""
    freight = TransportRequest.model_validate(transport()).freight
    at = datetime.now(UTC)
    price = Tariff.of(configuration()).price(freight, distance=ROAD, at=at)
    values: dict[str, Any] = {
        "tenant_id": uuid4(),
        "shipper_id": str(uuid4()),
        "pickup_lat": 28.6139,
        "pickup_lng": 77.209,
        "pickup_address": "New Delhi, India",
        "drop_lat": 19.076,
        "drop_lng": 72.8777,
        "drop_address": "Mumbai, India",
        "material_type": Material.COAL,
        "quantity_mt": Decimal(100),
        "distance_m": price.basis.distance_m,
        "price_paise": price.paise,
        "price_basis": orjson.loads(price.basis.to_json()),
        "created_at": at,
    }
    return {**values, **changes}


def quote_row(**changes: Any) -> Quote:
    values: dict[str, Any] = {"id": new_id(), **terms(), **changes}
    return Quote(**{"expires_at": values["created_at"] + timedelta(minutes=30), **values})


def booking_row(**changes: Any) -> Booking:
    values: dict[str, Any] = {
        "id": new_id(),
        "status": Status.REQUESTED,
        "version": 1,
        **terms(),
        **changes,
    }
    return Booking(**{"updated_at": values["created_at"], **values})


def owned_by(caller: Caller) -> dict[str, Any]:
    return {"tenant_id": caller.tenant_id, "shipper_id": str(caller.subject)}


async def in_status(session: AsyncSession, status: Status, **changes: Any) -> Booking:
    """A booking that has come so far, kept."""
    booking = booking_row(status=status, version=4, **changes)
    session.add(booking)
    await session.flush()
    return booking


async def events_of(session: AsyncSession, subject: str) -> Sequence[RowMapping]:
    found = await session.execute(
        text("SELECT * FROM outbox WHERE subject = :subject ORDER BY aggregate_version"),
        {"subject": subject},
    )
    return found.mappings().all()
