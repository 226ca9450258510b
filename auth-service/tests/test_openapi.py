"""The OpenAPI document tells the truth, whatever is sent."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from auth_service.app import create_app
from chassis.db import Database
from chassis.settings import ServiceSettings

from .world import World

CONFIG = schemathesis.Config.from_dict(  # pyright: ignore[reportUnknownMemberType] - it says dict
    {
        "checks": {
            # The document can't say which passwords, codes and tokens are right.
            "positive_data_acceptance": {"enabled": False},
            # It sends requests by itself, to a server; other tests ask without a token.
            "ignored_auth": {"enabled": False},
            # Starlette names the methods of the first route of a path only.
            "allow_header_conformance": {"enabled": False},
            # A body may be too large before anybody looks at what is wrong with it.
            "negative_data_rejection": {"expected-statuses": ["4xx", "5xx"]},
        },
        # Unknown query parameters are passed over.
        "operations": [
            {"include-method": "GET", "checks": {"negative_data_rejection": {"enabled": False}}}
        ],
    }
)
DOCUMENTED = {
    "/auth/login": {"200", "400", "401", "403", "413", "415", "422", "429", "503"},
    "/auth/mfa": {"200", "400", "401", "403", "409", "413", "415", "422", "429", "503"},
    "/auth/refresh": {"200", "400", "401", "403", "413", "415", "422", "429", "503"},
    "/auth/token": {"200", "400", "401", "413", "415", "422", "429", "503"},
}


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


@dataclass
class Root:
    """Somebody who may do everything, from ever new addresses so that no delay hides anything."""

    world: World
    token: str
    sources: Any = field(default_factory=count)

    @property
    def headers(self) -> dict[str, str]:
        source = f"2001:db8:0:{next(self.sources) % 65536:x}::1"
        return {"Authorization": f"Bearer {self.token}", "X-Forwarded-For": source}


@pytest.fixture
async def root(world: World) -> Root:
    return Root(world=world, token=await world.token("super_admin"))


@schema.parametrize()
@settings(max_examples=4, derandomize=True, deadline=None, suppress_health_check=UNHURRIED)
async def test_it_holds(case: Case, root: Root) -> None:
    case.validate_response(await send(case, root))


@pytest.mark.nightly
@schema.parametrize()
@settings(max_examples=400, deadline=None, suppress_health_check=UNHURRIED)
async def test_it_holds_for_long(case: Case, root: Root) -> None:
    case.validate_response(await send(case, root))


async def aim(case: Case, root: Root) -> None:
    """Half of the ids are of somebody that there is, in the version that there is."""
    [name] = (case.path_parameters or {"": ""}).keys()
    try:
        number = UUID(case.path_parameters[name]).int
    except (KeyError, TypeError, ValueError, AttributeError):
        return
    if number % 2:
        somebody = await root.world.user()
        found = somebody.id if name == "user_id" else somebody.tenant_id
        case.path_parameters[name] = str(found)
        if case.method == "PATCH":
            case.headers = {**(case.headers or {}), "If-Match": '"1"'}


async def send(case: Case, root: Root) -> httpx.Response:
    await aim(case, root)
    headers = root.headers
    forgets = case.meta.generation.mode.is_negative and "Authorization" not in (case.headers or {})
    if forgets or case.path == "/auth/token":
        del headers["Authorization"]
    asked = case.as_transport_kwargs(base_url="http://test", headers=headers)
    return await root.world.http.request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        headers=[(k.encode(), v.encode("latin-1")) for k, v in asked["headers"].items()],
        content=asked.get("data") if isinstance(asked.get("data"), (bytes, str)) else None,
        data=asked.get("data") if isinstance(asked.get("data"), dict) else None,
        json=asked.get("json"),
    )


@pytest.mark.parametrize("path", DOCUMENTED)
def test_every_answer_is_documented(path: str) -> None:
    assert document()["paths"][path]["post"]["responses"].keys() == DOCUMENTED[path]


def test_errors_are_problems() -> None:
    for operations in document()["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert answer["content"].keys() == {"application/problem+json"}
