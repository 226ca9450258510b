"""Bookings put into a database as a service would, and then meddled with."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bench.bodies import bodies
from bench.requests import Answered
from bench.subjects.usual.models import IdempotencyRecord
from bench.subjects.usual.rows import booking_of, event_of
from bench.subjects.usual.security import Shipper
from booking.distance import GreatCircle
from booking.models import Booking
from booking.schemas import TransportRequest
from booking.tariff import Tariff
from chassis.canonical import checksum
from chassis.config_cache import ConfigValue

PRICING: dict[str, Any] = {
    "base_rate": 250.5,
    "distance_rate": 5.75,
    "material_rates": {"coal": 1.2, "iron_ore": 1.1, "limestone": 1, "fertilizer": 1, "grain": 1},
}
ROAD = GreatCircle(road_factor=Decimal("1.3"))


async def book(url: str, *, many: int = 1) -> Sequence[Answered]:
    """Write so many bookings with event and record; what their callers would have been told."""
    bookings = [_booking(bodies()[number % 5]) for number in range(many)]
    async with _session(url) as session:
        session.add_all(bookings)
        session.add_all([event_of(booking, traceparent=None) for booking in bookings])
        session.add_all([_record(booking) for booking in bookings])
    return [Answered(booking_id=one.id, paise=one.price_paise) for one in bookings]


async def execute(url: str, statement: str) -> None:
    """Run one statement for good."""
    async with _session(url) as session:
        await session.execute(text(statement))


@asynccontextmanager
async def _session(url: str) -> AsyncGenerator[AsyncSession]:
    engine = create_async_engine(url, poolclass=NullPool)
    async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
        yield session
    await engine.dispose()


def _booking(body: bytes) -> Booking:
    transport, at = TransportRequest.model_validate_json(body), datetime.now(UTC)
    prices = ConfigValue(data=PRICING, version=1, checksum=checksum(PRICING), last_modified=at)
    price = Tariff.of(prices).price(transport.freight, distance=ROAD, at=at)
    shipper = Shipper(subject=str(uuid4()), tenant_id=uuid4())
    return booking_of(transport, shipper=shipper, price=price, at=at)


def _record(booking: Booking) -> IdempotencyRecord:
    return IdempotencyRecord(
        tenant_id=booking.tenant_id,
        principal=booking.shipper_id,
        route="POST /v1/booking",
        key=str(booking.id),
        fingerprint=hashlib.sha256(booking.id.bytes).digest(),
        status=200,
        media_type="application/json",
        headers={},
        body=b"{}",
    )
