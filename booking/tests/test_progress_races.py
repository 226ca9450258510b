"""A booking and its trips when steps meet, each in a transaction of its own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import select, text

from booking.assignment.models import Coverage
from booking.models import Booking
from booking.statuses import Status
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from chassis.db import Database
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .conftest import NewClient
from .factories import problem
from .rows import events_of
from .trips import Journey, beside, journey

pytestmark = pytest.mark.untraced

ROUNDS = 4


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


class Bookings:
    """Makes bookings that several trucks share, committed."""

    def __init__(self, database: Database, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self.database, self.client, self.issuer = database, client, issuer

    async def shared(self, trucks: int) -> Sequence[Journey]:
        async with self.database.begin() as session:
            quantity = Decimal(25 * trucks)
            first = await journey(session, self.client, self.issuer, quantity_mt=quantity)
            return [first, *[await beside(session, first) for _ in range(trucks - 1)]]

    async def now(self, trip: Journey) -> tuple[Booking, Sequence[Trip], Decimal, Sequence[int]]:
        """Booking, trips and covered tons, and the versions of the booking's events."""
        async with self.database.begin() as session:
            kept = await session.get_one(Trip, trip.trip_id)
            booking = await session.get_one(Booking, kept.booking_id)
            trips = await session.scalars(select(Trip).where(Trip.booking_id == booking.id))
            coverage = await session.get_one(Coverage, booking.id)
            events = await events_of(session, str(booking.id))
            versions = [event["aggregate_version"] for event in events]
            return booking, trips.all(), coverage.covered_mt, versions


@pytest.fixture
def bookings(committing: Database, client: httpx.AsyncClient, issuer: Issuer) -> Bookings:
    return Bookings(committing, client, issuer)


async def test_the_last_two_at_once_end_the_booking_once(bookings: Bookings) -> None:
    trips = await bookings.shared(3)
    await asyncio.gather(*(trip.reach("at_drop") for trip in trips))
    await asyncio.gather(*(trip.advance(TripStatus.DELIVERED) for trip in trips))
    booking, _, _, versions = await bookings.now(trips[0])
    assert (booking.status, versions) == (Status.DELIVERED, [4, 5])
    await asyncio.gather(*(trip.advance(TripStatus.CLOSED) for trip in trips))
    booking, _, _, versions = await bookings.now(trips[0])
    assert (booking.status, versions) == (Status.COMPLETED, [4, 5, 6])


async def test_loading_and_calling_off_at_once(bookings: Bookings) -> None:
    """Each wins or is refused; neither waits for the other for ever."""
    for _ in range(ROUNDS):
        loading, waiting = await bookings.shared(2)
        await loading.reach("at_pickup")
        booking, *_ = await bookings.now(loading)
        answers = await asyncio.gather(
            loading.load(),
            loading.sender.cancel(str(booking.id)),
            waiting.owner.post(f"{waiting.path}/cancel"),
            waiting.step("accept"),
            loading.owner.post(f"{loading.path}/cancel"),
        )
        assert {answer.status_code for answer in answers} <= {200, 409}, [
            answer.text for answer in answers
        ]
        booking, trips, covered, versions = await bookings.now(loading)
        live = [trip for trip in trips if trip.status is not TripStatus.CANCELLED]
        assert covered == sum((trip.load_mt for trip in live), Decimal(0))
        assert versions == list(range(4, booking.version + 1))
        loaded = any(trip.status is TripStatus.LOADED for trip in trips)
        assert (booking.status is Status.IN_PROGRESS) == loaded
        assert (booking.status in (Status.CANCELLED, Status.CONFIRMED)) == (not live)


async def test_called_off_by_many_at_once_frees_its_load_once(bookings: Bookings) -> None:
    first, second = await bookings.shared(2)
    answers = await asyncio.gather(
        *(first.owner.post(f"{trip.path}/cancel") for trip in (first, second) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [409] * 6
    booking, _, covered, versions = await bookings.now(first)
    assert (booking.status, covered, versions) == (Status.CONFIRMED, 0, [4])


async def test_half_a_step_is_none(bookings: Bookings, database: TestDatabase) -> None:
    loading, waiting = await bookings.shared(2)
    await loading.reach("at_pickup")
    before = await seen(bookings, loading)
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        # The last that each of the two writes.
        await session.execute(text("REVOKE INSERT ON booking_status_changes FROM booking_runtime"))
        await session.execute(text("REVOKE UPDATE ON booking_coverage FROM booking_runtime"))
    await owner.dispose()
    problem(await loading.load(), 500, "internal-error")
    problem(await waiting.owner.post(f"{waiting.path}/cancel"), 500, "internal-error")
    assert await seen(bookings, loading) == before


async def seen(bookings: Bookings, trip: Journey) -> object:
    booking, trips, covered, versions = await bookings.now(trip)
    stand = {each.id: (each.status, each.version) for each in trips}
    return booking.version, stand, covered, versions
