from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.fill import fill, samples
from bench.tokens import shipper
from booking.pricing import PriceBasis, recompute
from chassis.provisioning import administrate
from chassis.testing.databases import TestDatabase

from .books import book

ROWS = 2000
SHIPPERS = [shipper(number) for number in range(20)]


async def all_of(connection: AsyncConnection, statement: str) -> Sequence[tuple[Any, ...]]:
    result = await connection.exec_driver_sql(statement)
    return cast("Sequence[tuple[Any, ...]]", result.all())


async def test_a_year_of_bookings(database: TestDatabase) -> None:
    await book(database.superuser_url, many=7)
    async with administrate(database.superuser_url) as connection:
        copied = await samples(connection)
        await connection.exec_driver_sql("DELETE FROM outbox")
        await connection.exec_driver_sql("DELETE FROM bookings")
        await fill(connection, rows=ROWS, copied=copied, shippers=SHIPPERS)
        tenants = await all_of(
            connection, "SELECT tenant_id, count(*) FROM bookings GROUP BY 1 ORDER BY 2 DESC"
        )
        prices = await all_of(connection, "SELECT DISTINCT price_paise, price_basis FROM bookings")
        [(correlation,)] = await all_of(
            connection,
            "SELECT correlation FROM pg_stats"
            " WHERE (tablename, attname) = ('bookings', 'created_at')",
        )
        [(oldest, newest, out_of_order, statuses)] = await all_of(
            connection,
            """
            SELECT now() - min(created_at) > interval '360 days', max(created_at) <= now(),
                (SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY created_at) AS before
                    FROM bookings) AS pairs WHERE id < before),
                count(DISTINCT status)
            FROM bookings
            """,
        )
    counts = dict(tenants)
    assert sum(counts.values()) == ROWS
    # The first has about ln 2 / ln 20 of all.
    assert 0.18 * ROWS < counts[SHIPPERS[0].tenant_id] < 0.28 * ROWS
    assert counts.keys() <= {who.tenant_id for who in SHIPPERS}
    assert len(prices) >= 5
    assert all(recompute(PriceBasis.read(basis)) == paise for paise, basis in prices)
    assert (oldest, newest, statuses) == (True, True, 4)
    assert out_of_order < ROWS / 100
    assert correlation > 0.99
