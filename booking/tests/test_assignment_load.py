"""The board and assignment while ten thousand trips are open."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.testing.databases import TestDatabase

from .conftest import NewClient
from .factories import Caller
from .loads import Pair, accept, open_load, pair

OPEN_TRIPS = 10_000
ROUNDS = 100
SLOWEST_SECONDS = 0.1

# A tenth as many fleets as loads that are open still; each truck on a trip of its own.
FILL = (
    """
    INSERT INTO bookings (id, tenant_id, shipper_id, pickup_lat, pickup_lng, pickup_address,
        drop_lat, drop_lng, drop_address, material_type, quantity_mt, distance_m, price_paise,
        price_basis, created_at, status, version, updated_at)
    SELECT uuidv7(), tenant_id, shipper_id, pickup_lat, pickup_lng, pickup_address, drop_lat,
        drop_lng, drop_address, material_type, 25, distance_m, price_paise, price_basis,
        created_at + n * interval '1 ms', 'assigned', 3, now()
    FROM bookings, generate_series(1, :trips) AS n
    """,
    """
    INSERT INTO trucks (id, tenant_id, version, created_at, updated_at, registration_number,
        truck_type, capacity_mt, materials, states)
    SELECT uuidv7(), md5((n % 100)::text)::uuid, 1, now(), now(),
        'MH12' || chr(65 + n / 9999) || lpad((1 + n % 9999)::text, 4, '0'), 'tipper', 25,
        '{coal}', '{}'
    FROM generate_series(1, :trips + 1000) AS n
    """,
    """
    INSERT INTO truck_documents (truck_id, kind, number, expires_on)
    SELECT id, kind, 'P', '2090-01-01' FROM trucks,
        unnest(ARRAY['registration', 'fitness', 'insurance', 'permit', 'pollution']) AS kind
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO drivers (id, tenant_id, version, created_at, updated_at, name, phone,
        licence_number, licence_classes, licence_expires_on)
    SELECT uuidv7(), tenant_id, 1, now(), now(), 'Driver', '+919876543210',
        'MH122011' || lpad(row_number() OVER ()::text, 7, '0'), '{HMV}', '2090-01-01'
    FROM trucks
    """,
    """
    INSERT INTO truck_positions
    SELECT id, 1, 10 + random() * 20, 72 + random() * 12, now() FROM trucks
    """,
    """
    INSERT INTO trips (id, booking_id, tenant_id, shipper_tenant_id, truck_id, driver_id, load_mt,
        planned, status, version, created_at, updated_at)
    SELECT uuidv7(), b.id, t.tenant_id, b.tenant_id, t.id, d.id, 25,
        tstzrange(now(), now() + interval '9 days'), 'accepted', 2, now(), now()
    FROM (SELECT *, row_number() OVER () AS n FROM bookings WHERE status = 'assigned') AS b
    JOIN (SELECT *, row_number() OVER (ORDER BY tenant_id, id) AS n FROM trucks) AS t USING (n)
    JOIN (SELECT *, row_number() OVER (ORDER BY tenant_id, id) AS n FROM drivers) AS d USING (n)
    WHERE t.tenant_id = d.tenant_id
    """,
    "INSERT INTO booking_coverage SELECT booking_id, 25, 25 FROM trips",
)


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


async def p99(ask: Callable[[int], Awaitable[httpx.Response]]) -> float:
    """Seconds of the slowest but one of a hundred, after five that nobody counts."""
    taken: list[float] = []
    for n in range(ROUNDS + 5):
        begun = time.perf_counter()
        response = await ask(n)
        taken.append(time.perf_counter() - begun)
        assert response.status_code in (200, 201), response.text
    return sorted(taken[5:])[-2]


async def analyze(database: TestDatabase) -> None:
    """As autovacuum does it soon after; of the services' own role Postgres would take no notice."""
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        await session.execute(text("ANALYZE"))
    await owner.dispose()


@pytest.mark.nightly
async def test_board_and_assignment_stay_fast(
    fleet: Caller, committing: Database, database: TestDatabase
) -> None:
    rounds = range(ROUNDS + 5)
    async with committing.begin() as session:
        await open_load(session)
    async with committing.begin() as session:
        for statement in FILL:
            values = {"trips": OPEN_TRIPS} if ":trips" in statement else {}
            await session.execute(text(statement), values)
        assert await session.scalar(text("SELECT count(*) FROM trips")) == OPEN_TRIPS
    await analyze(database)
    async with committing.begin() as session:
        loads = [await open_load(session) for _ in rounds]
        pairs: list[Pair] = [await pair(session, fleet.tenant_id) for _ in rounds]
        nearest = [await open_load(session, quantity_mt=25) for _ in rounds]
    operator = fleet.another("trip:assign:all")
    measured = {
        "board": await p99(lambda n: fleet.get("/v1/board")),
        "accept": await p99(lambda n: accept(fleet, loads[n], pairs[n])),
        "assign": await p99(lambda n: operator.post(f"/v1/board/{nearest[n].id}/assign")),
    }
    assert max(measured.values()) < SLOWEST_SECONDS, measured
