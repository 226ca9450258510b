"""An HTTP client that talks to an application in this process, lifespan included."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def client_for(
    app: FastAPI, *, headers: dict[str, str] | None = None
) -> AsyncGenerator[httpx.AsyncClient]:
    """Start `app`, give a client, stop it. An unforeseen error becomes the 500 that callers see."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
    ):
        yield client


async def served(
    send: Callable[[], Awaitable[httpx.Response]], *, tries: int = 20
) -> httpx.Response:
    """What `send` is answered once there is room for it: 503 asks to try again.

    On a busy machine some of many callers at once wait longer for a connection than they may.
    """
    answer = await send()
    for _ in range(tries - 1):
        if answer.status_code != 503:
            break
        answer = await send()
    return answer
