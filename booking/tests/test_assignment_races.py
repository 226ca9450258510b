"""Many who want one truck, one driver, or the last tons at the same moment."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.testing.databases import TestDatabase

from .conftest import NewClient
from .factories import Caller
from .loads import Pair, accept, open_load, pair

CALLERS = 64


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


async def race_for_a_truck(fleet: Caller, committing: Database) -> None:
    """64 bookings want the same truck, each with a driver of its own."""
    async with committing.begin() as session:
        wanted = await pair(session, fleet.tenant_id)
        drivers = [await pair(session, fleet.tenant_id) for _ in range(CALLERS)]
        loads = [await open_load(session) for _ in range(CALLERS)]
    pairs = [Pair(truck=wanted.truck, driver=other.driver) for other in drivers]
    responses = await asyncio.gather(
        *(accept(fleet, load, pair) for load, pair in zip(loads, pairs, strict=True))
    )
    assert Counter(r.status_code for r in responses) == {201: 1, 409: CALLERS - 1}
    refused = {r.json()["type"].rsplit("/", 1)[-1] for r in responses if r.status_code == 409}
    assert refused == {"truck-busy"}
    async with committing.begin() as session:
        held = await session.scalar(
            text("SELECT count(*) FROM trips WHERE truck_id = :id"), {"id": wanted.truck.id}
        )
    assert held == 1


async def test_one_of_many_gets_the_truck(fleet: Caller, committing: Database) -> None:
    for _ in range(2):
        await race_for_a_truck(fleet, committing)


@pytest.mark.nightly
async def test_one_of_many_gets_the_truck_for_long(fleet: Caller, committing: Database) -> None:
    for _ in range(500):
        await race_for_a_truck(fleet, committing)


@pytest.mark.nightly
async def test_without_the_exclusion_constraint_the_race_finds_it_out(
    fleet: Caller, committing: Database, database: TestDatabase
) -> None:
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        await session.execute(text("ALTER TABLE trips DROP CONSTRAINT ex_trips_truck"))
    await owner.dispose()
    with pytest.raises(AssertionError):
        await race_for_a_truck(fleet, committing)


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
