"""Databases of many bookings, filled by one statement: a year of them, of large and small tenants.

Every booking is a copy of one that the platform took, so prices and their bases are real; tenant,
shipper, time and status are spread. Tenant 1 has the most bookings, tenant k about 1/k of that.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.tokens import Shipper

DAYS = 365
SAMPLES = 1000

_SAMPLES = """
    SELECT jsonb_agg(to_jsonb(sample))::text
    FROM (SELECT * FROM bookings ORDER BY created_at LIMIT $1) AS sample
"""
# The age falls from a year to nothing while n grows, so that ids, times and places on the disk
# agree as they do in a table that grew. Young bookings are under way, old ones are over.
_FILL = """
    WITH samples AS MATERIALIZED (
        SELECT row_number() OVER () - 1 AS position, sample.*
        FROM jsonb_populate_recordset(NULL::bookings, $3::text::jsonb) AS sample
    ),
    spread AS MATERIALIZED (
        SELECT n, floor(power(cardinality($1::uuid[]), random()))::int AS place,
            ($4::int - n + random()) / $4::int * make_interval(days => $5::int) AS age
        FROM generate_series(1, $4::int) AS n
    )
    INSERT INTO bookings (
        id, tenant_id, shipper_id, pickup_lat, pickup_lng, pickup_address, drop_lat, drop_lng,
        drop_address, material_type, quantity_mt, distance_m, price_paise, price_basis,
        status, version, created_at, updated_at
    )
    SELECT uuidv7(-age), ($1::uuid[])[place], ($2::text[])[place], pickup_lat, pickup_lng,
        pickup_address, drop_lat, drop_lng, drop_address, material_type, quantity_mt, distance_m,
        price_paise, price_basis,
        CASE
            WHEN age < interval '1 day' THEN 'requested'
            WHEN age < interval '3 days' THEN 'assigned'
            WHEN place % 10 = n % 10 THEN 'cancelled'
            ELSE 'completed'
        END,
        CASE WHEN age < interval '1 day' THEN 1 WHEN age < interval '3 days' THEN 3 ELSE 6 END,
        now() - age, now() - age
    FROM spread JOIN samples ON position = n % (SELECT count(*) FROM samples)
"""


async def samples(source: AsyncConnection) -> str:
    """Some bookings of a database, as `fill` takes them."""
    result = await source.exec_driver_sql(_SAMPLES, (SAMPLES,))
    return str(result.scalar_one())


async def fill(
    target: AsyncConnection, *, rows: int, copied: str, shippers: Sequence[Shipper]
) -> None:
    """Put so many bookings into a database that has none, and let Postgres settle afterwards."""
    tenants = [who.tenant_id for who in shippers]
    subjects = [str(who.subject) for who in shippers]
    await target.exec_driver_sql("SELECT setseed(0.5)")
    await target.exec_driver_sql(_FILL, (tenants, subjects, copied, rows, DAYS))
    # Otherwise autovacuum and the checkpointer would do their share of this while we measure.
    await target.exec_driver_sql("VACUUM (ANALYZE, FREEZE) bookings")
    await target.exec_driver_sql("CHECKPOINT")
