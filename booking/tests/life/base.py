"""What the machine stands on: one connection, whose work is rolled back, and the comparison."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from booking.assignment.models import Coverage
from booking.models import Booking, StatusChange
from booking.trips.errors import WrongCode
from booking.trips.evidence import export, verify
from booking.trips.models import Trip
from booking.trips.records import evidence_of
from chassis.db import Database
from chassis.errors import DomainError
from chassis.etags import IfMatch

from ..fleets import driver_row, truck_row
from ..loads import Pair
from ..rows import booking_row, events_of
from .model import Model, TripModel

Result = TypeVar("Result")
TRUCKS = 3


class Compared(RuleBasedStateMachine):
    """A booking and a small fleet, and what the model says of them."""

    model: Model
    booking: Booking
    fleet: Sequence[Pair]

    def __init__(self, runner: asyncio.Runner, engine: AsyncEngine) -> None:
        super().__init__()
        self.runner = runner
        self.connection: AsyncConnection = self.run(self._connect(engine))
        self.database = Database.on_connection(self.connection)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    def does(self, use: Callable[[AsyncSession], Awaitable[Result]]) -> Result | None:
        """What a use case answers in a transaction of its own; None when it refuses."""

        async def attempt() -> Result:
            async with self.database.begin() as session:
                return await use(session)

        try:
            answer = self.run(attempt())
        except DomainError:
            return None
        return None if isinstance(answer, WrongCode) else answer

    def begin(self, **changes: Any) -> None:
        """Put the booking and the fleet into the database."""
        booking = booking_row(**changes)
        tenant_id = booking.id
        pairs = [
            Pair(
                truck=truck_row(tenant_id=tenant_id),
                driver=driver_row(tenant_id=tenant_id, subject=f"driver {number}"),
            )
            for number in range(TRUCKS)
        ]

        async def keep(session: AsyncSession) -> Booking:
            session.add(booking)
            session.add_all([member for pair in pairs for member in (pair.truck, pair.driver)])
            return booking

        assert self.does(keep)
        self.booking, self.fleet = booking, pairs
        self.model = Model(quantity_mt=booking.quantity_mt, price=booking.price_paise)

    def seen(self, version: int, *, stale: bool) -> IfMatch:
        return IfMatch(frozenset({str(version - stale)}))

    @invariant()
    def model_and_database_agree(self) -> None:
        self.run(self._compare())

    def teardown(self) -> None:
        async def end() -> None:
            await self.connection.rollback()
            await self.connection.close()

        self.run(end())

    async def _connect(self, engine: AsyncEngine) -> AsyncConnection:
        connection = await engine.connect()
        await connection.begin()
        return connection

    async def _compare(self) -> None:
        async with self.database.begin() as session:
            await self._compare_booking(session)
            kept = await session.scalars(select(Trip).where(Trip.booking_id == self.booking.id))
            found = {trip.id: trip for trip in kept}
            assert found.keys() == {trip.id for trip in self.model.trips}
            for trip in self.model.trips:
                await self._compare_trip(session, found[trip.id], trip)
            audited = await session.scalar(text("SELECT count(*) FROM audit_log"))
            assert audited == self.model.audited

    async def _compare_booking(self, session: AsyncSession) -> None:
        model = self.model
        booking = await session.get_one(Booking, self.booking.id)
        assert (booking.status, booking.version) == (model.status, model.version)
        assert booking.cancellation_fee_paise == model.fee
        for name, value in model.arranged.items():
            assert getattr(booking, name) == value
        steps = await session.execute(
            select(StatusChange.version, StatusChange.to_status)
            .where(StatusChange.booking_id == booking.id)
            .order_by(StatusChange.version)
        )
        assert [tuple(step) for step in steps] == model.steps
        told = await events_of(session, str(booking.id))
        assert [(each["aggregate_version"], _kind(each["type"])) for each in told] == model.told
        assert [version for version, _ in model.told] == list(range(2, model.version + 1))
        arrived = sum(trip.net_kg for trip in model.trips if trip.status in ("delivered", "closed"))
        for each in told:
            if _kind(each["type"]) in ("delivered", "completed"):
                assert each["data"]["delivered_mt"] * 1000 == arrived
        coverage = await session.get(Coverage, booking.id)
        if coverage is None:
            assert not model.trips
        else:
            assert (coverage.covered_mt, coverage.open_mt) == (model.covered_mt, model.open_mt)

    async def _compare_trip(self, session: AsyncSession, kept: Trip, model: TripModel) -> None:
        assert (kept.status, kept.version) == (model.status, model.version)
        pair = (self.fleet[model.truck].truck.id, self.fleet[model.driver].driver.id)
        assert (kept.truck_id, kept.driver_id) == pair
        entries = await evidence_of(session, kept.id)
        assert [entry.kind for entry in entries] == model.entries
        assert verify(export(kept.id, entries)).fault is None
        events = await events_of(session, str(kept.id))
        told = {(each["aggregate_version"], _kind(each["type"])) for each in events}
        assert told == set(model.told)
        assert {version for version, _ in told} == set(range(1, model.version + 1))


def _kind(event_type: str) -> str:
    return event_type.split(".")[-2]
