"""A database of booking's in full work: trips on the road, loads on the board, trucks that wait.

Bookings are copies of ones that the platform took. Trip k is truck k's and driver k's. The
trucks after those of the trips are free: some for their fleets to choose, and then, of the other
half of the fleets, some to be found. So whoever is found is nobody's choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.tokens import Shipper

CAPACITY_MT = 25

_BOOKINGS = """
    WITH samples AS MATERIALIZED (
        SELECT row_number() OVER () - 1 AS position, sample.*
        FROM jsonb_populate_recordset(NULL::bookings, $1::text::jsonb) AS sample
    )
    INSERT INTO bookings (
        id, tenant_id, shipper_id, pickup_lat, pickup_lng, pickup_address, drop_lat, drop_lng,
        drop_address, material_type, quantity_mt, distance_m, price_paise, price_basis,
        status, version, created_at, updated_at
    )
    SELECT uuidv7(), tenant_id, shipper_id, pickup_lat, pickup_lng, pickup_address, drop_lat,
        drop_lng, drop_address, material_type, 25, distance_m, price_paise, price_basis,
        CASE WHEN n <= $2::int THEN 'assigned' ELSE 'confirmed' END,
        CASE WHEN n <= $2::int THEN 3 ELSE 2 END,
        now() - interval '1 day' + n * interval '1 ms', now()
    FROM generate_series(1, $2::int + $3::int) AS n
    JOIN samples ON position = n % (SELECT count(*) FROM samples)
"""
_TRUCKS = """
    INSERT INTO trucks (id, tenant_id, version, created_at, updated_at, registration_number,
        truck_type, capacity_mt, materials, states)
    SELECT uuidv7(), ($1::uuid[])[1 + CASE
            WHEN n <= $2::int THEN n % (2 * half)
            WHEN n <= $2::int + $3::int THEN n % half
            ELSE half + n % half
        END], 1,
        now() - interval '1 day' + n * interval '1 ms', now(),
        'MH12' || chr(65 + n / 9999) || lpad((1 + n % 9999)::text, 4, '0'), 'tipper', 25,
        '{coal,fertilizer,grain,iron_ore,limestone,sand}', '{}'
    FROM generate_series(1, $2::int + $3::int + $4::int) AS n, (SELECT $5::int AS half) AS fleets
"""
_DOCUMENTS = """
    INSERT INTO truck_documents (truck_id, kind, number, expires_on)
    SELECT id, kind, 'P', '2090-01-01' FROM trucks,
        unnest(ARRAY['registration', 'fitness', 'insurance', 'permit', 'pollution']) AS kind
"""
_DRIVERS = """
    INSERT INTO drivers (id, tenant_id, version, created_at, updated_at, name, phone,
        licence_number, licence_classes, licence_expires_on)
    SELECT uuidv7(), tenant_id, 1, created_at, now(), 'Driver', '+919876543210',
        'MH122011' || lpad(row_number() OVER (ORDER BY created_at)::text, 7, '0'), '{HMV}',
        '2090-01-01'
    FROM trucks
"""
# Free trucks are known to be somewhere, but for those that fleets choose themselves.
_POSITIONS = """
    INSERT INTO truck_positions (truck_id, sequence, lat, lng, recorded_at)
    SELECT id, 1, 10 + random() * 20, 72 + random() * 12, now()
    FROM (SELECT id, row_number() OVER (ORDER BY created_at) AS n FROM trucks) AS numbered
    WHERE n <= $1::int OR n > $1::int + $2::int
"""
_TRIPS = """
    INSERT INTO trips (id, booking_id, tenant_id, shipper_tenant_id, truck_id, driver_id, load_mt,
        planned, status, version, created_at, updated_at)
    SELECT uuidv7(), b.id, t.tenant_id, b.tenant_id, t.id, d.id, 25,
        tstzrange(now(), now() + interval '9 days'), 'accepted', 2, now(), now()
    FROM (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM bookings) AS b
    JOIN (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM trucks) AS t USING (n)
    JOIN (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM drivers) AS d USING (n)
    WHERE n <= $1::int
"""
_COVERAGE = "INSERT INTO booking_coverage SELECT booking_id, 25, 25 FROM trips"
_LOADS = "SELECT id FROM bookings WHERE status = 'confirmed' ORDER BY created_at"
_PAIRS = """
    SELECT truck.id AS truck_id, driver.id AS driver_id, truck.tenant_id
    FROM (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM trucks) AS truck
    JOIN (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM drivers) AS driver USING (n)
    WHERE n > $1::int AND n <= $1::int + $2::int ORDER BY n
"""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A free truck with its driver, and the fleet that has them."""

    truck_id: UUID
    driver_id: UUID
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class Work:
    """Loads that nobody has taken, and free pairs that only their fleets know of."""

    loads: Sequence[UUID]
    pairs: Sequence[Pair]


async def fill(
    target: AsyncConnection,
    *,
    trips: int,
    loads: int,
    pairs: int,
    free: int,
    copied: str,
    fleets: Sequence[Shipper],
) -> Work:
    """Put so many open trips, loads, and trucks into a database that has none of them.

    Of the trucks that carry nothing, `pairs` are for their fleets to choose and `free` can be found
    by where they are. `copied` is what `bench.fill.samples` gives.
    """
    tenants = [who.tenant_id for who in fleets]
    execute = target.exec_driver_sql
    await execute("SELECT setseed(0.5)")
    await execute(_BOOKINGS, (copied, trips, loads))
    await execute(_TRUCKS, (tenants, trips, pairs, free, len(tenants) // 2))
    await execute(_DOCUMENTS)
    await execute(_DRIVERS)
    await execute(_POSITIONS, (trips, pairs))
    await execute(_TRIPS, (trips,))
    await execute(_COVERAGE)
    # Otherwise autovacuum and the checkpointer would do their share of this while we measure.
    await execute("VACUUM (ANALYZE)")
    await execute("CHECKPOINT")
    found = await execute(_PAIRS, (trips, pairs))
    return Work(
        loads=[row.id for row in await execute(_LOADS)],
        pairs=[
            Pair(truck_id=row.truck_id, driver_id=row.driver_id, tenant_id=row.tenant_id)
            for row in found
        ],
    )
