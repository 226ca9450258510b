"""The OpenAPI document tells the truth, whatever is sent."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from chassis.db import Database
from chassis.settings import ServiceSettings
from config_service.app import create_app
from config_service.errors import ApprovalUnknown, ProposalUnseen

from .factories import DEV, Person, to_put

CONFIG = schemathesis.Config.from_dict(  # pyright: ignore[reportUnknownMemberType] - it says dict
    {
        "checks": {
            # The document can't say all that is refused: numbers that no double holds, a path with
            # a word that the API itself uses.
            "positive_data_acceptance": {"enabled": False},
            # It sends requests by itself, to a server; other tests ask without a token.
            "ignored_auth": {"enabled": False},
            # A path takes slashes: PUT on `…/rollback` is PUT on a path with a reserved word, 422.
            "unsupported_method": {"enabled": False},
            # Starlette names the methods of the first route of a path only.
            "allow_header_conformance": {"enabled": False},
        }
    }
)


def document() -> dict[str, Any]:
    url = "postgresql+asyncpg://nobody@localhost/none"
    own = ServiceSettings.model_validate({"database_url": url})
    return create_app(own, Database.connect(url, name="test")).openapi()


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
async def test_it_holds(case: Case, author: Person) -> None:
    case.validate_response(await send(case, author))


@pytest.mark.nightly
@schema.parametrize()
@settings(max_examples=500, deadline=None, suppress_health_check=UNHURRIED)
async def test_it_holds_for_long(case: Case, author: Person) -> None:
    case.validate_response(await send(case, author))


async def aim(case: Case, author: Person) -> None:
    """Requests that could meet something do: the address and the precondition are good ones."""
    path = str(case.path_parameters.get("path", "")) if case.path_parameters else ""
    if len(path) % 2 == 0 or case.meta.generation.mode.is_negative:
        return
    case.path_parameters.update(service=DEV.service, environment=DEV.environment, path=DEV.path)
    await author.put(DEV, {"tons": 1})
    if "proposal_id" in case.path_parameters:
        proposal = (await author.propose(DEV, to_put({"tons": 2}))).json()
        case.path_parameters["proposal_id"] = proposal["proposal_id"]
    if case.method != "GET":
        case.headers = {**(case.headers or {}), **await author.seen(DEV)}


async def send(case: Case, author: Person) -> httpx.Response:
    await aim(case, author)
    asked = case.as_transport_kwargs(base_url="http://test", headers=author.headers)
    return await author.client.request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        headers=[(k.encode(), v.encode("latin-1")) for k, v in asked["headers"].items()],
        content=asked.get("data"),
        json=asked.get("json"),
    )


def test_document_names_every_refusal() -> None:
    paths = document()["paths"]
    put = paths["/v1/config/{service}/{environment}/{path}"]["put"]["responses"]
    assert {"200", "401", "403", "409", "412", "422", "428"} <= put.keys()
    approve = paths["/v1/config/{service}/{environment}/{path}/proposals/{proposal_id}/approve"]
    assert str(ProposalUnseen.status) in approve["post"]["responses"]
    assert str(ApprovalUnknown.status) in put
    get = paths["/v1/config/{service}/{environment}/{path}"]["get"]
    assert [parameter["name"] for parameter in get["parameters"]] == [
        "service",
        "environment",
        "path",
        "If-None-Match",
    ]
    assert "304" in get["responses"]
