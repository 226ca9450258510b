"""Routes that read their body strictly, and routes that remember their answers.

`StrictRoute` refuses what no endpoint should have to think of: another content type (415), text
that isn't JSON (400; NaN, infinities, lone surrogates and endless nesting included) and NUL
characters (400), which Postgres can't keep.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import BadRequest, UnsupportedMediaType

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class NulCharacter(BadRequest):
    """A NUL character in the path, the query or the body."""

    type = "nul-character"
    title = "NUL characters are not accepted"


class StrictRequest(Request):
    """A request whose `json()` is RFC 8259 and nothing more."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            body = await self.body()
            # Only an escape can bring a NUL: the parser refuses a raw one.
            if b"\\u0000" in body and _has_nul(json.loads(body)):
                raise NulCharacter
            self._json = orjson.loads(body)
        return self._json


class StrictRoute(APIRoute):
    """An APIRoute that refuses malformed requests before FastAPI reads them."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        reads_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            if "%00" in request.url.path or b"%00" in cast(bytes, request.scope["query_string"]):
                raise NulCharacter
            if "\x00" in cast(str, request.scope["path"]):
                raise NulCharacter
            if reads_body:
                _check_content_type(request)
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def _check_content_type(request: Request) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")


def _has_nul(value: object) -> bool:
    match value:
        case str():
            return "\x00" in value
        case list():
            return any(_has_nul(item) for item in cast("list[object]", value))
        case dict():
            items = cast("dict[str, object]", value).items()
            return any("\x00" in key or _has_nul(item) for key, item in items)
        case _:
            return False
