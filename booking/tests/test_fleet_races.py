"""What must hold when fleets' requests run at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx
import pytest

from chassis.db import Database

from .conftest import NewClient
from .factories import Caller
from .fleets import FLEET, absence, new_truck, registered, send


@pytest.fixture
async def client(new_client: NewClient, committing: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client(committing) as client:
        yield client


def statuses(responses: list[httpx.Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


async def test_one_truck_registered_by_many(fleet: Caller) -> None:
    body = new_truck()
    callers = [fleet.another(*FLEET) for _ in range(6)]
    responses = await asyncio.gather(*(caller.post("/v1/trucks", body) for caller in callers))
    assert statuses(responses) == {201: 1, 409: 5}


async def test_one_version_changed_by_many(fleet: Caller) -> None:
    path = f"/v1/trucks/{(await registered(fleet))['truck_id']}"
    responses = await asyncio.gather(
        *(send(fleet, "PATCH", path, {"capacity_mt": 30 + n}, If_Match='"1"') for n in range(6))
    )
    assert statuses(responses) == {200: 1, 412: 5}
    assert (await fleet.get(path)).json()["version"] == 2


async def test_one_time_noted_by_many(fleet: Caller) -> None:
    driver = await registered(fleet, "driver")
    path = f"/v1/drivers/{driver['driver_id']}/absences"
    body = absence(datetime(2090, 1, 1, tzinfo=UTC))
    responses = await asyncio.gather(*(fleet.post(path, body) for _ in range(6)))
    assert statuses(responses) == {201: 1, 409: 5}
