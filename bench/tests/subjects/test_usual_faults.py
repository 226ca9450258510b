"""What row d answers when its database fails it."""

import asyncio

import httpx
import pytest

from bench.subjects.usual.app import create_app
from chassis.db import POOL_SIZE
from chassis.testing.databases import TestDatabase

from .conftest import NewClient
from .factories import PATH, Someone, transport
from .rows import counts_of, execute, locked

END_ITS_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'booking_runtime'
"""


async def test_no_connection_free_and_connections_lost_are_503(
    monkeypatch: pytest.MonkeyPatch,
    new_client: NewClient,
    database: TestDatabase,
    shipper: Someone,
) -> None:
    monkeypatch.setattr("chassis.db.POOL_TIMEOUT_SECONDS", 0.05)
    async with new_client(create_app, database) as client:

        async def book() -> int:
            headers = shipper.headers()
            return (await client.post(PATH, json=transport(), headers=headers)).status_code

        async with locked(database.superuser_url, "bookings"):
            asked = {asyncio.create_task(book()) for _ in range(POOL_SIZE + 1)}
            first, others = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result() for task in first} == {503}
            await execute(database.superuser_url, END_ITS_CONNECTIONS)
            assert set(await asyncio.gather(*others)) == {503}
        assert await counts_of(database.url) == [0, 0, 0]
        assert await book() == 200


async def test_what_the_schema_refuses_is_an_error(
    client: httpx.AsyncClient, database: TestDatabase, shipper: Someone
) -> None:
    await execute(
        database.superuser_url, "ALTER TABLE bookings ADD CHECK (price_paise < 0) NOT VALID"
    )
    response = await client.post(PATH, json=transport(), headers=shipper.headers(key="k-1"))
    assert response.status_code == 500
    assert await counts_of(database.url) == [0, 0, 0]
