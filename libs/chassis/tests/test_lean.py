"""A lean route answers as FastAPI's own would, whatever it is asked."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from chassis.access import Grant, requires
from chassis.app import create_app
from chassis.db import Database
from chassis.errors import Conflict, problems
from chassis.lean import LeanRoute
from chassis.routing import StrictRoute
from chassis.settings import ServiceSettings
from chassis.testing.client import client_for
from chassis.testing.issuer import Issuer

ISSUER = Issuer()
TENANT = UUID(int=7)
Writer = Annotated[Grant, requires("thing", "create")]


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=2)]
    size: int = 1


async def host(request: Request) -> str:
    return request.headers["host"]


def router(prefix: str, route_class: type[StrictRoute]) -> APIRouter:
    made = APIRouter(prefix=prefix, route_class=route_class)

    @made.post("/things", response_model=Thing, responses=problems(Conflict))
    async def create(
        thing: Thing, grant: Writer, asked: Annotated[str, Depends(host)], request: Request
    ) -> Response:
        """Make a thing."""
        if thing.name == "taken":
            raise Conflict("There is one.")
        if thing.name == "broken":
            raise RuntimeError("unforeseen")
        told = f"{asked} {grant.principal.tenant_id} {request.url.path[-7:]} {thing.size}"
        return Response(told, headers={"etag": '"1"'})

    _used = create
    return made


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    app = create_app(
        name="sample",
        title="Sample",
        description="",
        settings=ServiceSettings(database_url=SecretStr("postgresql+asyncpg://x/y")),
        database=Database.connect("postgresql+asyncpg://x/y", name="sample"),
        routers=[router("/lean", LeanRoute), router("/full", StrictRoute)],
        open_scopes={},
        keys=ISSUER,
    )
    async with client_for(app) as client:
        yield client


def token(*permissions: str) -> dict[str, str]:
    # Made when tests are collected, and so for a run of any length.
    text = ISSUER.token(tenant_id=TENANT, permissions=permissions, lifetime=3600)
    return {"authorization": f"Bearer {text}"}


GOOD = token("thing:create:own")
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (200, {"json": {"name": "one", "size": 3}}),
        (200, {"json": {"name": "one"}, "params": {"unknown": "x"}}),
        (409, {"json": {"name": "taken"}}),
        (500, {"json": {"name": "broken"}}),
        (422, {"json": {"name": "x", "size": "many", "colour": "red"}}),
        (422, {"json": ["one"]}),
        (422, {"json": None}),
        (422, {}),
        (400, {"content": b"{", "headers": JSON}),
        (400, {"content": b'{"name": "\\u0000"}', "headers": JSON}),
        (400, {"json": {"name": "one"}, "params": {"q": "\x00"}}),
        (415, {"content": b"{}", "headers": {"content-type": "text/plain"}}),
        (413, {"content": b" " * 300_000, "headers": JSON}),
        (401, {"json": {"name": "one"}, "headers": {"authorization": "Bearer x"}}),
        (401, {"json": {"name": "x"}, "headers": {"authorization": ""}}),
        (403, {"json": {"name": "x"}, "headers": token("thing:read:own")}),
        (405, {"method": "PUT", "json": {"name": "one"}}),
        (404, {"path": "/things/", "json": {"name": "one"}}),
    ],
)
async def test_it_answers_as_any_other(
    client: httpx.AsyncClient, status: int, sent: dict[str, Any]
) -> None:
    async def ask(prefix: str) -> httpx.Response:
        options = {name: value for name, value in sent.items() if name not in ("method", "path")}
        headers = {**GOOD, **options.pop("headers", {})}
        url = prefix + sent.get("path", "/things")
        return await client.request(sent.get("method", "POST"), url, headers=headers, **options)

    lean, full = await ask("/lean"), await ask("/full")
    assert lean.status_code == full.status_code == status
    assert lean.headers == full.headers
    if status == 422:
        assert shape(lean) == shape(full)
    else:
        assert lean.content == full.content


def shape(response: httpx.Response) -> Any:
    document = response.json()
    return document | {"errors": sorted(document["errors"], key=lambda each: each["pointer"])}


async def test_it_is_documented_as_any_other(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    lean, full = paths["/lean/things"]["post"], paths["/full/things"]["post"]
    assert lean.pop("operationId") != full.pop("operationId")
    assert lean == full


async def takes_query(q: Annotated[str, Query()]) -> None:
    """Not of the request alone."""


def blocks(request: Request) -> None:
    """Not asynchronous."""


async def optional(thing: Thing | None = None) -> None: ...
async def two_bodies(thing: Thing, other: Thing) -> None: ...
async def more(thing: Thing, q: Annotated[None, Depends(takes_query)]) -> None: ...
async def waits(thing: Thing, b: Annotated[None, Depends(blocks)]) -> None: ...


@pytest.mark.parametrize("endpoint", [optional, two_bodies, more, waits])
def test_what_it_cannot_give_is_refused_when_it_is_declared(endpoint: Any) -> None:
    with pytest.raises(TypeError, match="lean route"):
        LeanRoute("/things", endpoint, methods=["POST"])


def test_a_path_with_parameters_is_refused() -> None:
    with pytest.raises(TypeError, match="no parameters"):
        LeanRoute("/things/{name}", host, methods=["POST"])
