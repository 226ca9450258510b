"""Routes that read their body strictly. Every router of a service takes `StrictRoute` or a child:

    router = APIRouter(route_class=StrictRoute)

It refuses what no endpoint should have to think of: a body that is too large (413), of another
content type (415), that isn't JSON (400; NaN, lone surrogates and endless nesting included), and
NUL characters (400), which Postgres can't keep.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from chassis.headers import header_values

MAX_BODY_BYTES = 256 * 1024

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class NulCharacter(BadRequest):
    """A NUL character in the path, the query or the body."""

    type = "nul-character"
    title = "NUL characters are not accepted"


class NotJson(BadRequest):
    """The body isn't JSON."""

    type = "not-json"
    title = "The body is not valid JSON"


class BodyCutOff(BadRequest):
    """The caller went away before the body's end; nobody reads this, but it is no fault of ours."""

    type = "body-cut-off"
    title = "The body ended early"


class StrictRequest(Request):
    """A request with a bounded body, whose `json()` is RFC 8259 and nothing more."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = _parse(await self.body())
        return self._json

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            length = next(iter(header_values(self, b"content-length")), "0")
            # A chunked body names no length beforehand, so what comes is counted too.
            if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                raise _too_large()
            self._body = await self._receive_all()
        return self._body

    async def _receive_all(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BodyCutOff
            parts.append(message.get("body", b""))
            total += len(parts[-1])
            if total > MAX_BODY_BYTES:
                raise _too_large()
            if not message.get("more_body"):
                return b"".join(parts)


class StrictRoute(APIRoute):
    """An APIRoute that refuses malformed requests before FastAPI reads them."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        reads_json = self.body_field is not None

        async def strict(request: Request) -> Response:
            if not isinstance(request, StrictRequest):
                request = StrictRequest(request.scope, request.receive)
            await refuse_malformed(request, reads_json=reads_json)
            return await handler(request)

        return strict


async def refuse_malformed(request: StrictRequest, *, reads_json: bool) -> None:
    """Raise what is wrong with a request before anybody looks at what it says."""
    query = cast(bytes, request.scope["query_string"])
    if "\x00" in cast(str, request.scope["path"]) or b"%00" in query:
        raise NulCharacter
    if reads_json and await request.body():
        _check_content_type(request)
        await request.json()


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"A body holds at most {MAX_BODY_BYTES} bytes.")


def _check_content_type(request: Request) -> None:
    content_type = next(iter(header_values(request, b"content-type")), "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")


def _parse(body: bytes) -> Any:
    try:
        document = orjson.loads(body)
        # Only an escape can bring a NUL: the parser refuses a raw one.
        if b"\\u0000" in body and "\\u0000" in json.dumps(document).replace("\\\\", ""):
            raise NulCharacter
    except (ValueError, RecursionError) as error:
        raise NotJson from error
    return document
