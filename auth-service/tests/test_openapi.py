"""The OpenAPI document tells the truth, whatever is sent."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from auth_service.app import create_app
from chassis.testing.conformance import CHOSEN, LONG, QUICK, Case, document_of, each_operation, send

from .world import World

pytestmark = pytest.mark.untraced

DOCUMENTED = {
    "/auth/login": {"200", "400", "401", "403", "413", "415", "422", "429", "503"},
    "/auth/mfa": {"200", "400", "401", "403", "409", "413", "415", "422", "429", "503"},
    "/auth/refresh": {"200", "400", "401", "403", "413", "415", "422", "429", "503"},
    "/auth/token": {"200", "400", "401", "413", "415", "422", "429", "503"},
}


operation = each_operation(
    document_of(create_app),
    # A body may be too large before anybody looks at what is wrong with it.
    checks={"negative_data_rejection": {"expected-statuses": ["4xx", "5xx"]}},
    # Unknown query parameters are passed over.
    operations=[
        {"include-method": "GET", "checks": {"negative_data_rejection": {"enabled": False}}}
    ],
)


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


@CHOSEN.parametrize()
@QUICK
async def test_it_holds(case: Case, root: Root) -> None:
    await check(case, root)


@pytest.mark.nightly
@CHOSEN.parametrize()
@LONG
async def test_it_holds_for_long(case: Case, root: Root) -> None:
    await check(case, root)


async def check(case: Case, root: Root) -> None:
    await aim(case, root)
    headers = root.headers
    forgets = case.meta.generation.mode.is_negative and "Authorization" not in (case.headers or {})
    if forgets or case.path == "/auth/token":
        del headers["Authorization"]
    case.validate_response(await send(case, root.world.http, headers=headers))


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


@pytest.mark.parametrize("path", DOCUMENTED)
def test_every_answer_is_documented(path: str) -> None:
    assert document_of(create_app)["paths"][path]["post"]["responses"].keys() == DOCUMENTED[path]


def test_errors_are_problems() -> None:
    for operations in document_of(create_app)["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert answer["content"].keys() == {"application/problem+json"}
