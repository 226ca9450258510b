"""Many who want one truck, one driver, or the last tons at the same moment."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from booking.assignment.nearest import assign_nearest
from booking.assignment.schemas import Acceptance
from booking.assignment.service import accept_load
from booking.fleets.models import Truck
from booking.fleets.service import Caller as UseCaller
from booking.models import Booking
from booking.statuses import Status
from booking.trips.errors import TruckBusy
from chassis.access import Scope
from chassis.db import Database, DatabaseUnavailable
from chassis.testing.client import served
from chassis.testing.databases import TestDatabase

from .conftest import NewClient
from .factories import Caller
from .fleets import driver_row
from .life.bookings import granted
from .loads import SOON, Pair, accept, acceptance, open_load, pair
from .rows import booking_row

pytestmark = pytest.mark.untraced

CALLERS = 64
CONNECTIONS = 16
# Seconds for one race, also where many wait for a connection.
PATIENCE = 120
KM_PER_DAY = 350
# A trip is planned for the next 90 days.
RACES_A_TRUCK = 50


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


@dataclass(frozen=True)
class Race:
    """One truck, and 64 who want it, each for a load and with a driver of its own."""

    committing: Database
    truck: Truck
    entrants: Sequence[tuple[Booking, Pair]]

    @classmethod
    async def make(cls, committing: Database, tenant_id: UUID) -> "Race":
        """As many tons are open as all races take."""
        async with committing.begin() as session:
            wanted = await pair(session, tenant_id)
            loads = [
                booking_row(
                    status=Status.CONFIRMED,
                    version=2,
                    quantity_mt=Decimal(1000),
                    distance_m=20_000,
                )
                for _ in range(CALLERS)
            ]
            drivers = [driver_row(tenant_id=tenant_id) for _ in range(CALLERS)]
            session.add_all([*loads, *drivers])
        pairs = [Pair(truck=wanted.truck, driver=driver) for driver in drivers]
        return cls(committing, wanted.truck, list(zip(loads, pairs, strict=True)))

    async def run(self, caller: UseCaller, number: int) -> None:
        """All want it for the same time, in each race for another."""
        at = SOON + timedelta(days=number)
        async with asyncio.timeout(PATIENCE):
            gets = await asyncio.gather(
                *(self._want(caller, entrant, at) for entrant in self.entrants)
            )
        assert Counter(gets) == {None: 1, TruckBusy: CALLERS - 1}
        assert await self._held() == number + 1

    async def _want(
        self, caller: UseCaller, entrant: tuple[Booking, Pair], at: datetime
    ) -> type[TruckBusy] | None:
        load, pair = entrant
        wanted = Acceptance.model_validate(acceptance(pair, 1, pickup_at=at.isoformat()))
        while True:
            try:
                async with self.committing.begin() as session:
                    await accept_load(
                        session,
                        caller=caller,
                        booking_id=load.id,
                        wanted=wanted,
                        km_per_day=KM_PER_DAY,
                    )
            except TruckBusy:
                return TruckBusy
            except DatabaseUnavailable:
                continue  # on a busy machine some wait too long for a connection
            return None

    async def _held(self) -> int:
        async with self.committing.begin() as session:
            trips = text("SELECT count(*) FROM trips WHERE truck_id = :id")
            return await session.scalar(trips, {"id": self.truck.id}) or 0


async def run_races(database: TestDatabase, tenant_id: UUID, races: int) -> None:
    """So many races, one after the other."""
    committing = Database.connect(database.url, name="booking", pool_size=CONNECTIONS)
    try:
        caller = UseCaller(grant=granted(tenant_id, "fleet", Scope.TENANT), source_ip=None)
        for first in range(0, races, RACES_A_TRUCK):
            race = await Race.make(committing, tenant_id)
            for number in range(min(RACES_A_TRUCK, races - first)):
                await race.run(caller, number)
    finally:
        await committing.dispose()


async def race_by_http(fleet: Caller, committing: Database) -> None:
    """64 bookings want the same truck, each with a driver of its own."""
    async with committing.begin() as session:
        wanted = await pair(session, fleet.tenant_id)
        drivers = [await pair(session, fleet.tenant_id) for _ in range(CALLERS)]
        loads = [await open_load(session) for _ in range(CALLERS)]
    pairs = [Pair(truck=wanted.truck, driver=other.driver) for other in drivers]
    responses = await asyncio.gather(
        *(
            served(partial(accept, fleet, load, pair))
            for load, pair in zip(loads, pairs, strict=True)
        )
    )
    assert Counter(r.status_code for r in responses) == {201: 1, 409: CALLERS - 1}
    refused = {r.json()["type"].rsplit("/", 1)[-1] for r in responses if r.status_code == 409}
    assert refused == {"truck-busy"}
    async with committing.begin() as session:
        held = await session.scalar(
            text("SELECT count(*) FROM trips WHERE truck_id = :id"), {"id": wanted.truck.id}
        )
    assert held == 1


async def test_one_of_many_gets_the_truck(database: TestDatabase) -> None:
    await run_races(database, uuid4(), 50)


@pytest.mark.nightly
async def test_one_of_many_gets_the_truck_for_long(database: TestDatabase) -> None:
    await run_races(database, uuid4(), 500)


async def test_many_who_ask_for_a_truck_are_told(fleet: Caller, committing: Database) -> None:
    await race_by_http(fleet, committing)


@pytest.mark.nightly
async def test_without_the_exclusion_constraint_the_race_finds_it_out(
    fleet: Caller, committing: Database, database: TestDatabase
) -> None:
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        await session.execute(text("ALTER TABLE trips DROP CONSTRAINT ex_trips_truck"))
    await owner.dispose()
    with pytest.raises(AssertionError):
        await race_by_http(fleet, committing)


async def test_no_more_is_taken_than_there_is(fleet: Caller, committing: Database) -> None:
    async with committing.begin() as session:
        load = await open_load(session, quantity_mt=Decimal(75))
        pairs = [await pair(session, fleet.tenant_id) for _ in range(8)]
    responses = await asyncio.gather(*(accept(fleet, load, pair) for pair in pairs))
    assert Counter(r.status_code for r in responses) == {201: 3, 409: 5}


async def test_trucks_assigned_at_once_are_different_ones(
    fleet: Caller, committing: Database
) -> None:
    async with committing.begin() as session:
        loads = [await open_load(session, quantity_mt=Decimal(25)) for _ in range(6)]
        for _ in range(6):
            await pair(session, fleet.tenant_id, at=(28.7, 77.1))
    operator = fleet.another("trip:assign:all")
    responses = await asyncio.gather(
        *(operator.post(f"/v1/board/{load.id}/assign") for load in loads)
    )
    assert {r.status_code for r in responses} == {200}
    trucks = [one["truck_id"] for r in responses for one in r.json()["assigned"]]
    assert len(trucks) == len(set(trucks))


async def test_trucks_that_no_driver_is_free_for_are_not_held(
    committing: Database, fleet: Caller
) -> None:
    async with committing.begin() as session:
        load = await open_load(session, quantity_mt=Decimal(25))
        lonely = await pair(session, uuid4(), at=(28.7, 77.1))
        lonely.driver.retired_at = lonely.driver.created_at
        far = await pair(session, fleet.tenant_id, at=(27.2, 78.0))
    grant = granted(fleet.tenant_id, "operator", Scope.ALL)
    caller = UseCaller(grant=grant, source_ip=None)
    lock = text("SELECT id FROM trucks WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED")
    async with committing.begin() as session, committing.begin() as other:
        [trip], _ = await assign_nearest(
            session, caller=caller, booking_id=load.id, km_per_day=KM_PER_DAY
        )
        assert trip.truck_id == far.truck.id
        assert await other.scalar(lock, {"id": far.truck.id}) is None
        assert await other.scalar(lock, {"id": lonely.truck.id}) == lonely.truck.id
