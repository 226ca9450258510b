"""Trucks that take over while others want them, each in a transaction of its own."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, text

from booking.fleets.models import Driver, Truck
from booking.fleets.pairs import lock_pair
from booking.trips.models import Trip
from chassis.db import Database
from chassis.testing.client import served
from chassis.testing.issuer import Issuer

from .conftest import NewClient
from .factories import problem
from .fleets import send
from .loads import Pair, accept, open_load, pair
from .trips import Journey, journey, trip_row

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


@pytest.fixture
async def trip(committing: Database, client: httpx.AsyncClient, issuer: Issuer) -> Journey:
    """One that is loaded, on a truck that has broken down."""
    async with committing.begin() as session:
        trip = await journey(session, client, issuer)
    await trip.reach("loaded")
    return trip


async def spare(committing: Database, trip: Journey) -> Pair:
    async with committing.begin() as session:
        return await pair(session, trip.owner.tenant_id)


async def swap(trip: Journey, other: Pair) -> httpx.Response:
    body = {"truck_id": str(other.truck.id), "driver_id": str(other.driver.id), "reason": "Axle"}
    return await trip.owner.post(f"{trip.path}/swap-truck", body)


async def until_it_waits(database: Database, asked: "asyncio.Task[httpx.Response]") -> None:
    """Wait until somebody waits for a lock; fails if the request is answered without."""
    waits = False
    while not waits:
        assert not asked.done(), asked.result().text
        await asyncio.sleep(0.01)
        # A transaction of its own, which else would go on seeing what it saw first.
        async with database.begin() as session:
            waits = bool(await session.scalar(WAITING))


@pytest.mark.parametrize("kind", [Truck, Driver])
async def test_what_is_retired_meanwhile_takes_nothing_over(
    committing: Database, trip: Journey, kind: type[Truck | Driver]
) -> None:
    other = await spare(committing, trip)
    member_id = other.truck.id if kind is Truck else other.driver.id
    async with committing.begin() as session:
        member = await session.scalar(select(kind).where(kind.id == member_id).with_for_update())
        assert member
        member.retired_at = datetime.now(UTC)
        await session.flush()
        asked = asyncio.create_task(swap(trip, other))
        await until_it_waits(committing, asked)
    [reason] = problem(await asked, 409, "not-fit")["reasons"]
    assert "left the fleet" in reason


async def test_what_takes_a_load_meanwhile_takes_nothing_over(
    committing: Database, trip: Journey
) -> None:
    other, fleet = await spare(committing, trip), trip.owner.tenant_id
    ids = {"truck_id": other.truck.id, "driver_id": other.driver.id}
    async with committing.begin() as session:
        load = await open_load(session)
        # As an acceptance does it: whoever wrote first and then met the other would deadlock.
        await lock_pair(session, Truck.tenant_id == fleet, **ids)
        asked = asyncio.create_task(swap(trip, other))
        await until_it_waits(committing, asked)
        session.add(trip_row(load, tenant_id=fleet, **ids))
    problem(await asked, 409, "truck-busy")


async def test_what_takes_over_can_t_be_retired_meanwhile(
    committing: Database, trip: Journey
) -> None:
    other = await spare(committing, trip)
    async with committing.begin() as session:
        await lock_pair(
            session,
            Truck.tenant_id == trip.owner.tenant_id,
            truck_id=other.truck.id,
            driver_id=other.driver.id,
        )
        taken_over = await session.get_one(Trip, trip.trip_id)
        taken_over.truck_id, taken_over.driver_id = other.truck.id, other.driver.id
        await session.flush()
        path = f"/v1/trucks/{other.truck.id}/retire"
        asked = asyncio.create_task(send(trip.owner, "POST", path, If_Match='"1"'))
        await until_it_waits(committing, asked)
    problem(await asked, 409, "on-trip")


async def test_one_of_many_who_want_a_truck_gets_it(
    committing: Database, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    fleet = uuid4()
    async with committing.begin() as session:
        broken = [await journey(session, client, issuer, tenant_id=fleet) for _ in range(4)]
        loads = [await open_load(session) for _ in range(4)]
    for trip in broken:
        await trip.reach("loaded")
    for _ in range(3):
        wanted = await spare(committing, broken[0])
        now = datetime.now(UTC).isoformat()
        responses = await asyncio.gather(
            *(served(partial(swap, trip, wanted)) for trip in broken),
            *(
                served(partial(accept, broken[0].owner, load, wanted, pickup_at=now))
                for load in loads
            ),
        )
        statuses = Counter(response.status_code for response in responses)
        assert statuses[409] == 7, statuses
        async with committing.begin() as session:
            held = await session.scalars(select(Trip).where(Trip.truck_id == wanted.truck.id))
            assert len(held.all()) == 1
