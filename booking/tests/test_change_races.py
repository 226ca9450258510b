"""Changes that meet, and changes that break off half-way."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from booking.events import HANDLERS
from booking.expiry import Expiry, Patience
from booking.models import Booking, StatusChange
from booking.statuses import TRANSITIONS, Status
from chassis.db import Database
from chassis.events import CloudEvent
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .answers import declined, reserved
from .conftest import NewClient
from .factories import SHIPPER, Caller, problem
from .rows import booking_row, events_of, owned_by

PATIENCE = Patience(payment=timedelta(days=1), cover=timedelta(days=30))
LONG_AGO = datetime.now(UTC) - timedelta(days=2)


@pytest.fixture
async def committing(database: TestDatabase) -> AsyncGenerator[Database]:
    connected = Database.connect(database.url, name="booking")
    yield connected
    await connected.dispose()


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


@pytest.fixture
def shipper(client: httpx.AsyncClient, issuer: Issuer) -> Caller:
    return Caller(client, issuer, *SHIPPER)


async def kept(database: Database, **values: Any) -> Booking:
    booking = booking_row(**values)
    async with database.begin() as session:
        session.add(booking)
    return booking


async def handle(database: Database, event: CloudEvent) -> None:
    async with database.begin() as session:
        await HANDLERS[event.type](session, event)


async def now(
    database: Database, booking: Booking
) -> tuple[Booking, list[StatusChange], list[int]]:
    """The booking, its steps, and the versions that its events have."""
    async with database.begin() as session:
        steps = await session.scalars(
            select(StatusChange)
            .where(StatusChange.booking_id == booking.id)
            .order_by(StatusChange.version)
        )
        events = await events_of(session, str(booking.id))
        found = await session.get_one(Booking, booking.id)
        return found, list(steps), [event["aggregate_version"] for event in events]


async def test_whatever_meets_makes_one_legal_history(
    shipper: Caller, committing: Database
) -> None:
    for _ in range(6):
        booking = await kept(committing, **owned_by(shipper), created_at=LONG_AGO)
        meeting: list[Awaitable[object]] = [
            handle(committing, reserved(booking)),
            handle(committing, declined(booking)),
            shipper.cancel(str(booking.id)),
            shipper.amend(str(booking.id), 1, instructions="Gate 4"),
            Expiry(committing, PATIENCE).run(),
        ]
        await asyncio.gather(*meeting)
        found, steps, versions = await now(committing, booking)
        before = Status.REQUESTED
        for step in steps:
            assert step.from_status == before
            assert step.to_status in TRANSITIONS[before]
            before = step.to_status
        assert found.status == before != Status.REQUESTED
        assert versions == list(range(2, found.version + 1))
        assert (found.cancellation_fee_paise is None) == (found.status != Status.CANCELLED)


@pytest.mark.parametrize("table", ["outbox", "audit_log"])
async def test_half_a_change_is_none(
    shipper: Caller, committing: Database, database: TestDatabase, table: str
) -> None:
    booking = await kept(committing, **owned_by(shipper))
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        await session.execute(text(f"REVOKE INSERT ON {table} FROM booking_runtime"))
    await owner.dispose()
    amended = await shipper.amend(str(booking.id), 1, instructions="Gate 4")
    problem(amended, 500, "internal-error")
    problem(await shipper.cancel(str(booking.id)), 500, "internal-error")
    found, steps, versions = await now(committing, booking)
    assert (found.status, found.version, found.instructions) == (Status.REQUESTED, 1, None)
    assert (found.cancellation_fee_paise, steps, versions) == (None, [], [])


async def test_an_expiry_cut_off_half_way_loses_nothing(committing: Database) -> None:
    bookings = [await kept(committing, created_at=LONG_AGO) for _ in range(10)]
    for pause in (0.001, 0.005, 0.01, 0.02):
        cut = asyncio.create_task(Expiry(committing, PATIENCE).run())
        await asyncio.sleep(pause)
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
    await Expiry(committing, PATIENCE).run()
    for booking in bookings:
        found, steps, versions = await now(committing, booking)
        assert (found.status, len(steps), versions) == (Status.EXPIRED, 1, [2])
