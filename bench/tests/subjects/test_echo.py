import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from bench.subjects.echo import create_app
from chassis.db import Database
from chassis.settings import ServiceSettings
from chassis.testing.client import client_for

from .factories import PATH, transport

NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"


@pytest.fixture
async def echo() -> AsyncGenerator[httpx.AsyncClient]:
    settings = ServiceSettings.model_validate({"database_url": NOWHERE})
    app = create_app(settings, Database.connect(NOWHERE, name="test"))
    async with client_for(app, headers={"Content-Type": "application/json"}) as client:
        yield client


async def test_gives_back_the_bytes(echo: httpx.AsyncClient) -> None:
    body = json.dumps(transport(), indent=1).encode()
    response = await echo.post(PATH, content=body)
    assert response.status_code == 200
    assert response.content == body
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "body", [transport(quantity_mt="100"), transport(status="confirmed"), {}, [], None]
)
async def test_refuses_what_booking_would(echo: httpx.AsyncClient, body: Any) -> None:
    assert (await echo.post(PATH, content=json.dumps(body))).status_code == 422


async def test_refuses_what_is_no_json(echo: httpx.AsyncClient) -> None:
    assert (await echo.post(PATH, content=b"{")).status_code == 422
