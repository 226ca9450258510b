from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, SecretStr

from chassis.app import create_app
from chassis.db import Database
from chassis.routing import MAX_BODY_BYTES, BodyCutOff, StrictRequest, StrictRoute
from chassis.settings import ServiceSettings
from chassis.testing.client import client_for
from chassis.testing.issuer import Issuer

URL = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
JSON = {"Content-Type": "application/json"}


class Load(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    tons: float
    note: str = ""


def app() -> FastAPI:
    router = APIRouter(route_class=StrictRoute)

    @router.post("/loads")
    async def post(load: Load) -> dict[str, Any]:
        return load.model_dump()

    @router.post("/optional")
    async def optional(load: Load | None = None) -> dict[str, bool]:
        return {"given": load is not None}

    @router.get("/loads/{name}")
    async def get(name: str, q: str = "") -> dict[str, str]:
        return {"name": name, "q": q}

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret of the inside")

    @router.get("/shared")
    @router.put("/shared")
    async def shared() -> None: ...

    _used = (post, optional, get, broken, shared)
    return create_app(
        name="sample",
        title="Sample",
        description="",
        settings=ServiceSettings(database_url=SecretStr(URL)),
        database=Database.connect(URL, name="sample"),
        routers=[router],
        open_scopes={},
        keys=Issuer(),
    )


async def ask(method: str, path: str, **request: Any) -> httpx.Response:
    async with client_for(app()) as client:
        return await client.request(method, path, **request)


async def problem(status: int, method: str, path: str, **request: Any) -> dict[str, Any]:
    answer = await ask(method, path, **request)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("https://ubertruck.in/problems/")
    return document


async def test_a_good_body_is_taken() -> None:
    answer = await ask("POST", "/loads", json={"tons": 1})
    assert answer.json() == {"tons": 1, "note": ""}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"tons": NaN}',
        b'{"tons": Infinity}',
        b'{"tons": 1e999}',
        b'{"tons": 1, "note": "\\ud800"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"tons": 1} trailing',
    ],
)
async def test_what_is_not_json_is_400(body: bytes) -> None:
    document = await problem(400, "POST", "/loads", content=body, headers=JSON)
    assert document["type"].endswith("/not-json")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
async def test_another_content_type_is_415(media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    await problem(415, "POST", "/loads", content=b'{"tons": 1}', headers=headers)


async def test_charset_is_no_other_content_type() -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = await ask("POST", "/loads", content=b'{"tons": 1}', headers=headers)
    assert answer.status_code == 200


async def test_an_unknown_field_is_named_and_not_echoed() -> None:
    document = await problem(422, "POST", "/loads", json={"tons": 1, "a/b": "hunter2"})
    assert document["errors"][0]["pointer"] == "/a~1b"
    assert "hunter2" not in str(document)


async def test_nul_is_refused_wherever_it_stands() -> None:
    await problem(400, "POST", "/loads", content=b'{"tons":1,"note":"a\\u0000"}', headers=JSON)
    await problem(400, "POST", "/loads", content=b'{"\\u0000":1}', headers=JSON)
    await problem(400, "GET", "/loads/a%00b")
    await problem(400, "GET", "/loads/a?q=%00")


async def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    answer = await ask("POST", "/loads", content=b'{"tons":1,"note":"\\\\u0000"}', headers=JSON)
    assert answer.json()["note"] == "\\u0000"


async def test_an_oversized_body_is_413() -> None:
    body = b'{"tons": 1, "note": "' + b"x" * MAX_BODY_BYTES + b'"}'
    await problem(413, "POST", "/loads", content=body, headers=JSON)


async def test_an_oversized_chunked_body_is_413() -> None:
    async def chunks() -> Any:
        for _ in range(MAX_BODY_BYTES // 1000 + 2):
            yield b" " * 1000

    await problem(413, "POST", "/loads", content=chunks(), headers=JSON)


async def test_a_caller_who_leaves_within_the_body_is_no_fault_of_ours() -> None:
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Any:
        return next(messages)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
    }
    with pytest.raises(BodyCutOff):
        await StrictRequest(scope, receive).body()


async def test_a_missing_optional_body_needs_no_content_type() -> None:
    assert (await ask("POST", "/optional")).json() == {"given": False}
    assert (await ask("POST", "/optional", json={"tons": 1})).json() == {"given": True}


async def test_unknown_paths_and_methods_are_problems() -> None:
    assert (await problem(404, "GET", "/nowhere"))["type"].endswith("/not-found")
    assert (await problem(404, "GET", "/shared/"))["type"].endswith("/not-found")
    assert (await problem(405, "PUT", "/loads"))["type"].endswith("/method-not-allowed")


async def test_405_names_every_method_of_the_path() -> None:
    answer = await ask("DELETE", "/shared")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, PUT"


async def test_an_unforeseen_error_tells_nothing_of_the_inside() -> None:
    document = await problem(500, "GET", "/broken")
    assert "secret" not in str(document)


def test_a_router_without_strict_routes_is_refused() -> None:
    router = APIRouter()

    @router.get("/x")
    async def get() -> None: ...

    assert get
    with pytest.raises(TypeError, match="StrictRoute"):
        create_app(
            name="sample",
            title="Sample",
            description="",
            settings=ServiceSettings(database_url=SecretStr(URL)),
            database=Database.connect(URL, name="sample"),
            routers=[router],
            open_scopes={},
            keys=Issuer(),
        )


def test_openapi_knows_problems() -> None:
    document = app().openapi()
    invalid = document["paths"]["/loads"]["post"]["responses"]["422"]["content"]
    assert list(invalid) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "FieldError" in document["components"]["schemas"]
