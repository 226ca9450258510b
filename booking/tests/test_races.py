"""What must hold when requests run at once or break off, each in a transaction of its own."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.testing.databases import TestDatabase
from chassis.testing.issuer import Issuer

from .conftest import NewClient
from .factories import SHIPPER, Caller, problem, transport


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


@pytest.fixture
def shipper(client: httpx.AsyncClient, issuer: Issuer) -> Caller:
    return Caller(client, issuer, *SHIPPER)


async def counts(database: Database) -> dict[str, int]:
    async with database.begin() as session:
        found = await session.execute(
            text(
                "SELECT 'bookings' AS name, count(*) FROM bookings"
                " UNION ALL SELECT type, count(*) FROM outbox GROUP BY type"
                " UNION ALL SELECT 'steps', count(*) FROM booking_status_changes"
            )
        )
        return {name.split(".")[-2] if "." in name else name: n for name, n in found}


def statuses(responses: list[httpx.Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


async def test_cancelled_by_many_at_once(shipper: Caller, committing: Database) -> None:
    booking_id = (await shipper.book())["booking_id"]
    responses = await asyncio.gather(*(shipper.cancel(booking_id) for _ in range(8)))
    assert statuses(responses) == {200: 1, 409: 7}
    assert await counts(committing) == {"bookings": 1, "requested": 1, "cancelled": 1, "steps": 1}


async def test_a_quote_used_by_many_at_once(shipper: Caller, committing: Database) -> None:
    body = {"quote_id": (await shipper.quote())["quote_id"]}
    responses = await asyncio.gather(*(shipper.post("/v1/booking", body) for _ in range(8)))
    assert statuses(responses) == {200: 1, 409: 7}
    refused = {r.json()["type"].rsplit("/", 1)[-1] for r in responses if r.status_code == 409}
    assert refused == {"quote-used"}
    assert await counts(committing) == {"bookings": 1, "requested": 1, "steps": 0}


async def test_one_key_by_many_at_once(shipper: Caller, committing: Database) -> None:
    responses = await asyncio.gather(
        *(shipper.post("/v1/booking", transport(), Idempotency_Key="k") for _ in range(8))
    )
    assert set(statuses(responses)) <= {200, 409}
    answers = {r.content for r in responses if r.status_code == 200}
    assert len(answers) == 1
    assert await counts(committing) == {"bookings": 1, "requested": 1, "steps": 0}


async def test_the_same_body_by_many_at_once(shipper: Caller, committing: Database) -> None:
    responses = await asyncio.gather(*(shipper.post("/v1/booking", transport()) for _ in range(8)))
    assert statuses(responses) == {200: 8}
    assert await counts(committing) == {"bookings": 8, "requested": 8, "steps": 0}


@pytest.mark.parametrize("table", ["outbox", "idempotency_records"])
async def test_half_a_booking_is_none(
    shipper: Caller, committing: Database, database: TestDatabase, table: str
) -> None:
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        await session.execute(text(f"REVOKE INSERT ON {table} FROM booking_runtime"))
    await owner.dispose()
    response = await shipper.post("/v1/booking", transport(), Idempotency_Key="k")
    problem(response, 500, "internal-error")
    assert await counts(committing) == {"bookings": 0, "steps": 0}
