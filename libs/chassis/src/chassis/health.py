"""Health and metrics, on a port of their own, outside what the mesh listens to.

`/healthz`: the process lives; touches nothing. `/readyz`: own database and schema answer and the
process isn't draining; never asks neighbours. `/metrics`: Prometheus text.
"""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import Unavailable

READY_TIMEOUT_SECONDS = 2.0

Check = Callable[[], Awaitable["str | None"]]


class Readiness:
    """Whether requests may come: set by the process, asked by probes.

    `check` looks at what the process stands on and says what is wrong, if anything.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self.started = False
        self.draining = False

    async def problem(self) -> str | None:
        """Why requests may not come, in a few words; None when they may."""
        if self.draining:
            return "draining"
        if not self.started:
            return "starting"
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                return await self._check()
        except Unavailable as error:
            return error.detail or error.title
        except TimeoutError:
            return "the database is slow to answer"


def health_app(readiness: Readiness) -> ASGIApp:
    """The ASGI application of the health port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await _answer(scope["path"], readiness)
        await response(scope, receive, send)

    return app


async def _answer(path: str, readiness: Readiness) -> Response:
    match path:
        case "/healthz":
            return PlainTextResponse("ok\n")
        case "/readyz":
            problem = await readiness.problem()
            if problem is None:
                return PlainTextResponse("ready\n")
            return PlainTextResponse(f"not ready: {problem}\n", 503)
        case "/metrics":
            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
        case _:
            return PlainTextResponse("not found\n", 404)
