"""The OpenAPI document tells the truth, whatever is sent."""

from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from booking.app import create_app
from chassis.db import Database
from chassis.settings import ServiceSettings

from .factories import Caller, FakeSource

CONFIG = schemathesis.Config.from_dict(  # pyright: ignore[reportUnknownMemberType] - it says dict
    {
        "checks": {
            # The document can't say all that is refused: an address of nothing but spaces, a drop
            # that is the pickup, a cursor of somebody's own making.
            "positive_data_acceptance": {"enabled": False},
            # It sends requests by itself, to a server; test_bookings asks without a token.
            "ignored_auth": {"enabled": False},
            # Starlette names the methods of the first route of a path only.
            "allow_header_conformance": {"enabled": False},
        }
    }
)


def document() -> dict[str, Any]:
    url = "postgresql+asyncpg://nobody@localhost/none"
    own = ServiceSettings.model_validate({"database_url": url})
    return create_app(own, Database.connect(url, name="test"), source=FakeSource()).openapi()


# schemathesis is typed, but by generics that it leaves open.
Case = Any
schema: Any = schemathesis.openapi.from_dict(document(), config=CONFIG)
UNHURRIED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
]


@schema.parametrize()
@settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=UNHURRIED)
async def test_it_holds(case: Case, shipper: Caller) -> None:
    case.validate_response(await send(case, shipper))


@pytest.mark.nightly
@schema.parametrize()
@settings(max_examples=500, deadline=None, suppress_health_check=UNHURRIED)
async def test_it_holds_for_long(case: Case, shipper: Caller) -> None:
    case.validate_response(await send(case, shipper))


async def aim(case: Case, shipper: Caller) -> None:
    """Half of the ids are of a booking that there is."""
    try:
        number = UUID(case.path_parameters["booking_id"]).int
    except (KeyError, ValueError, AttributeError):
        return
    if number % 2:
        case.path_parameters["booking_id"] = (await shipper.book())["booking_id"]


async def send(case: Case, shipper: Caller) -> httpx.Response:
    await aim(case, shipper)
    asked = case.as_transport_kwargs(base_url="http://test", headers=shipper.headers)
    return await shipper.client.request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        headers=[(k.encode(), v.encode("latin-1")) for k, v in asked["headers"].items()],
        content=asked.get("data"),
        json=asked.get("json"),
    )
