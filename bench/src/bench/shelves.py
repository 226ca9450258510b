"""Databases of many bookings with a process and an edge before each, and what to ask them."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bench import fill, wrk
from bench.edges import lifted_edge
from bench.errors import WrongAnswer
from bench.processes import running, service_spec
from bench.requests import get
from bench.stage import Stage
from bench.subjects.databases import prepare_database
from bench.tokens import Token
from chassis.pagination import Key, encode_cursor
from chassis.provisioning import administrate
from ops.services import BOOKING

PAGE_ROWS = 50
# Even at 10 000 bookings the deepest page of each of these is a whole one.
LISTING_TENANTS = 12
DEPTHS = 10
READS = 2000
PAGES = ("first", "deep")
SAMPLING_SECONDS = 1.0

# From a little below the newest to the middle of a tenant's bookings.
_PLACES = """
    SELECT created_at, id
    FROM (
        SELECT created_at, id, count(*) OVER () AS many,
            row_number() OVER (ORDER BY created_at DESC, id DESC) AS place
        FROM bookings WHERE tenant_id = $1
    ) AS theirs JOIN generate_series(1, $2) AS step ON place = many * step / (2 * $2)
    ORDER BY place
"""
_SOME = "SELECT id, tenant_id FROM bookings TABLESAMPLE BERNOULLI ($1) REPEATABLE (7) LIMIT $2"


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Requests for pages of one kind; the bookings on them are these tenants', in turn."""

    requests: Sequence[bytes]
    tenants: Sequence[UUID]

    def render(self, number: int) -> bytes:
        """Request `number`."""
        return self.requests[number % len(self.requests)]

    def check(self, number: int, body: bytes) -> None:
        """WrongAnswer unless the answer is a whole page of this tenant's, with more to come."""
        tenant = str(self.tenants[number % len(self.tenants)]).encode()
        if body.count(b'"booking_id":"') != PAGE_ROWS or body.count(tenant) != PAGE_ROWS:
            raise WrongAnswer(f"It isn't a page of {PAGE_ROWS} bookings of the tenant's.")
        if b'"next_cursor":"' not in body:
            raise WrongAnswer("The page claims to be the last.")


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Bookings that are read through the edge at `port`: single ones, and by pages of each kind."""

    port: int
    singles: Sequence[bytes]
    lists: Mapping[str, Lists]


@asynccontextmanager
async def shelves(stage: Stage, sizes: Mapping[str, int]) -> AsyncGenerator[Mapping[str, Shelf]]:
    """One shelf of so many bookings for each name, until the body ends."""
    copied = await _samples(stage)
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(_shelf(stage, name, rows, copied))
            for name, rows in sizes.items()
        }


@asynccontextmanager
async def _shelf(stage: Stage, name: str, rows: int, copied: str) -> AsyncGenerator[Shelf]:
    stage.say(f"Filling a database with {rows} bookings")
    database, process = f"bench_{name}", f"bench-{name}"
    server = stage.platform.server.superuser_url()
    url = await prepare_database(server, name=database, passwords=stage.layout.credentials.database)
    async with administrate(server, database=database) as connection:
        shippers = [token.shipper for token in stage.tokens]
        await fill.fill(connection, rows=rows, copied=copied, shippers=shippers)
        singles = await _singles(connection, stage.tokens, rows)
        lists = await _lists(connection, stage.tokens[:LISTING_TENANTS])
    spec = service_spec(stage.layout, process, BOOKING.package, "api", database_url=url)
    async with (
        running(spec),
        lifted_edge(stage.layout, f"edge-{name}", booking_port=spec.port) as port,
    ):
        yield Shelf(port=port, singles=singles, lists=lists)


async def _samples(stage: Stage) -> str:
    """Bookings as the platform makes them, to be copied."""
    plan = wrk.Plan.of_bookings(stage.bookings())
    await wrk.run(stage.layout.ports[BOOKING.api], plan, seconds=SAMPLING_SECONDS)
    server = stage.platform.server.superuser_url()
    async with administrate(server, database=BOOKING.name) as connection:
        return await fill.samples(connection)


async def _singles(
    connection: AsyncConnection, tokens: Sequence[Token], rows: int
) -> Sequence[bytes]:
    by_tenant = {token.shipper.tenant_id: token for token in tokens}
    percent = min(100.0, 200.0 * READS / rows)
    found = await connection.exec_driver_sql(_SOME, (percent, READS))
    pairs = cast("Iterable[tuple[UUID, UUID]]", found)
    return [get(f"/v1/booking/{row_id}", by_tenant[tenant]) for row_id, tenant in pairs]


async def _lists(connection: AsyncConnection, tokens: Sequence[Token]) -> Mapping[str, Lists]:
    path = f"/v1/booking?limit={PAGE_ROWS}"
    tenants = [token.shipper.tenant_id for token in tokens]
    columns = [await _cursors(connection, tenant) for tenant in tenants]
    deep = [
        get(f"{path}&cursor={cursor}", token)
        for depth in zip(*columns, strict=True)
        for token, cursor in zip(tokens, depth, strict=True)
    ]
    return {
        "first": Lists(requests=[get(path, token) for token in tokens], tenants=tenants),
        "deep": Lists(requests=deep, tenants=tenants),
    }


async def _cursors(connection: AsyncConnection, tenant: UUID) -> Sequence[str]:
    found = await connection.exec_driver_sql(_PLACES, (tenant, DEPTHS))
    places = cast("Iterable[tuple[datetime, UUID]]", found)
    return [encode_cursor(Key(at, row_id)) for at, row_id in places]
