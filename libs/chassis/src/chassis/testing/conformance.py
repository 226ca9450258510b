"""An OpenAPI document held against its service: schemathesis sends what the document allows.

operation = each_operation(document_of(create_app), checks={...})

@CHOSEN.parametrize()
@QUICK
async def test_it_holds(case: Case, client: httpx.AsyncClient) -> None:
    case.validate_response(await send(case, client, headers={...}))
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, reject, settings

from chassis.db import Database
from chassis.settings import ServiceSettings

# schemathesis is typed, but by generics that it leaves open.
Case = Any

_FIXTURE = "operation"
# What the fixture gives. The requests for an operation are then made where its test runs; by a
# schema's own `parametrize` every worker would make those for all operations while it collects.
CHOSEN: Any = cast(Any, schemathesis.pytest).from_fixture(_FIXTURE)

_UNHURRIED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
]
QUICK = settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=_UNHURRIED)
# Without what QUICK has walked through already, for which the collecting alone takes seconds.
LONG = settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=_UNHURRIED,
    phases=[Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
)

_CHECKS: Mapping[str, Any] = {
    # No document can say all that is refused: which password is right, which two places are one.
    "positive_data_acceptance": {"enabled": False},
    # It sends requests by itself, to a server; other tests ask without a token.
    "ignored_auth": {"enabled": False},
}


def document_of(create_app: Callable[[ServiceSettings, Database], FastAPI]) -> dict[str, Any]:
    """The service's OpenAPI document; needs no database."""
    url = "postgresql+asyncpg://nobody@localhost/none"
    own = ServiceSettings.model_validate({"database_url": url})
    return create_app(own, Database.connect(url, name="test")).openapi()


def each_operation(
    document: dict[str, Any],
    *,
    checks: Mapping[str, Any] | None = None,
    operations: Sequence[Mapping[str, Any]] = (),
) -> Any:
    """A fixture `operation`, for `CHOSEN`: the tests that use it run once for each operation.

    `checks` and `operations` are schemathesis's own settings, on top of what holds for every
    service.
    """

    def chosen(request: pytest.FixtureRequest) -> Any:
        # schemathesis renames the test while it runs, by what pytest 9.2 has no longer.
        request.node._nodeid = request.node.nodeid
        others = {"exclude-operation-id": request.param, "enabled": False}
        settings = {
            "checks": {**_CHECKS, **(checks or {})},
            "operations": [*operations, others],
        }
        return schemathesis.openapi.from_dict(
            document,
            config=schemathesis.Config.from_dict(settings),  # pyright: ignore[reportUnknownMemberType] - it says dict
        )

    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    return pytest.fixture(params=ids, name=_FIXTURE)(chosen)


async def send(
    case: Case, client: httpx.AsyncClient, *, headers: Mapping[str, str]
) -> httpx.Response:
    """What the case asks, with `headers` besides its own.

    A case whose query loses a member on the way (an empty list has no form there) is passed over:
    what arrives isn't what schemathesis takes for refused.
    """
    asked = case.as_transport_kwargs(base_url="http://test", headers=dict(headers))
    data: Any = asked.get("data")
    request = client.build_request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        headers=[(k.encode(), v.encode("latin-1")) for k, v in asked["headers"].items()],
        content=data if isinstance(data, bytes | str) else None,
        data=cast("dict[str, Any]", data) if isinstance(data, dict) else None,
        json=asked.get("json"),
    )
    if not (case.query or {}).keys() <= request.url.params.keys():
        reject()
    return await client.send(request)
