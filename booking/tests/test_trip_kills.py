"""A process killed in a trip's step: the step happened whole or not at all, and can be repeated."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from sqlalchemy import RowMapping, text

from booking.models import Booking
from booking.trips.evidence import verify
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from chassis.db import Database
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .conftest import NewClient
from .processes import Killable, Processes, api_processes
from .rows import events_of
from .trips import DRIVER, LOADED, Caller, Journey, journey

pytestmark = pytest.mark.untraced

# Status, kinds of evidence, events and audit of the trip; status and events of the booking.
NOTHING = ("at_pickup", (), (), (), "assigned", ())
WHOLE = ("loaded", ("loaded",), ("loaded",), ("trip.load",), "in_progress", ("started",))
# In the order in which a step comes to them; the last is written just before the commit.
TABLES = ("trip_evidence", "outbox", "idempotency_records")


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


class Yard:
    """Trucks that stand where they are loaded, and what is known of each."""

    def __init__(
        self,
        database: TestDatabase,
        committing: Database,
        client: httpx.AsyncClient,
        issuer: Issuer,
    ) -> None:
        self._owner_url = database.migrator_url
        self._database, self._client, self._issuer = committing, client, issuer

    async def truck(self) -> Journey:
        async with self._database.begin() as session:
            trip = await journey(session, self._client, self._issuer, quantity_mt=Decimal(25))
            kept = await session.get_one(Trip, trip.trip_id)
            kept.status = TripStatus.AT_PICKUP
        return trip

    def by_way_of(self, process: Killable, trip: Journey) -> Journey:
        """The same trip, whose driver asks this process."""
        driver = Caller(
            process.client,
            self._issuer,
            *DRIVER,
            tenant_id=trip.driver.tenant_id,
            subject=trip.driver.subject,
        )
        return replace(trip, driver=driver)

    @asynccontextmanager
    async def held(self, table: str) -> AsyncGenerator[None]:
        """Nobody writes into this table meanwhile."""
        owner = Database.connect(self._owner_url, name="test", pool_size=1)
        async with owner.begin() as session:
            await session.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
            yield
        await owner.dispose()

    async def waits(self, task: asyncio.Task[httpx.Response | None]) -> None:
        """Return as soon as the task waits for a table."""
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
        async with asyncio.timeout(20):
            while not task.done():
                async with self._database.begin() as session:
                    if await session.scalar(query):
                        return
                await asyncio.sleep(0.01)
        pytest.fail(f"It was answered: {task.result()}")

    async def known_of(self, trip: Journey) -> tuple[object, ...]:
        exported = await trip.owner.get(f"{trip.path}/evidence")
        assert verify(exported.content).fault is None
        async with self._database.begin() as session:
            kept = await session.get_one(Trip, trip.trip_id)
            booking = await session.get_one(Booking, kept.booking_id)
            audited = await session.scalars(
                text("SELECT action FROM audit_log WHERE target = :target"),
                {"target": f"trip/{trip.trip_id}"},
            )
            return (
                kept.status,
                tuple(entry["kind"] for entry in exported.json()["entries"]),
                kinds(await events_of(session, str(kept.id))),
                tuple(audited),
                booking.status,
                kinds(await events_of(session, str(booking.id))),
            )


def kinds(events: Sequence[RowMapping]) -> tuple[str, ...]:
    return tuple(event["type"].split(".")[-2] for event in events)


@pytest.fixture
def yard(
    database: TestDatabase, committing: Database, client: httpx.AsyncClient, issuer: Issuer
) -> Yard:
    return Yard(database, committing, client, issuer)


async def load(trip: Journey) -> httpx.Response | None:
    """Load with this trip's key; None when nobody answered."""
    try:
        return await trip.step("load", LOADED, Idempotency_Key=f"load-{trip.trip_id}")
    except httpx.TransportError:
        return None


async def repeated(trip: Journey) -> httpx.Response:
    """The same request once more, as soon as nobody else is about it."""
    async with asyncio.timeout(20):
        while (answer := await load(trip)) is None or answer.status_code in (409, 503):
            await asyncio.sleep(0.02)
    return answer


async def kill_at(yard: Yard, process: Killable, table: str) -> None:
    """While it waits to write into this table."""
    trip = await yard.truck()
    async with yard.held(table):
        loading = asyncio.create_task(load(yard.by_way_of(process, trip)))
        await yard.waits(loading)
        await process.kill()
        assert await loading is None
    assert await yard.known_of(trip) == NOTHING
    await whole_after_all(yard, trip, answered=False)


async def kill_at_some_moment(yard: Yard, process: Killable) -> None:
    trip = await yard.truck()
    loading = asyncio.create_task(load(yard.by_way_of(process, trip)))
    await asyncio.sleep(random.uniform(0, 0.06))
    await process.kill()
    answer = await loading
    await whole_after_all(yard, trip, answered=answer is not None)


async def whole_after_all(yard: Yard, trip: Journey, *, answered: bool) -> None:
    assert await yard.known_of(trip) in ((WHOLE,) if answered else (NOTHING, WHOLE))
    first, again = await repeated(trip), await repeated(trip)
    assert (first.status_code, first.content) == (200, again.content)
    assert await yard.known_of(trip) == WHOLE


@pytest.fixture
async def processes(
    tmp_path: Path, database: TestDatabase, issuer: Issuer
) -> AsyncGenerator[Processes]:
    async with api_processes(tmp_path, database.url, issuer) as started:
        yield started


async def test_killed_in_a_step(yard: Yard, processes: Processes) -> None:
    await kill_at(yard, await processes.start(), "outbox")
    await kill_at(yard, await processes.start(), "idempotency_records")
    await kill_at_some_moment(yard, await processes.start())


@pytest.mark.nightly
async def test_killed_in_many_steps(yard: Yard, processes: Processes) -> None:
    for table in TABLES:
        await kill_at(yard, await processes.start(), table)
    for _ in range(40):
        await kill_at_some_moment(yard, await processes.start())
