"""Whether a process answers on loopback, and what: asked with as little as possible."""

import asyncio
from collections.abc import Awaitable, Callable

from ops.ports import LOOPBACK

TIMEOUT = 2.0


def answers_ok(port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """A probe: does `GET path` on this loopback port answer 200?"""

    async def probe() -> bool:
        return await fetch(port, path) is not None

    return probe


async def fetch(port: int, path: str) -> bytes | None:
    """The body of the answer to `GET path` on this loopback port; None unless it is a 200."""
    try:
        async with asyncio.timeout(TIMEOUT):
            head, _, body = (await _talk(port, path)).partition(b"\r\n\r\n")
    except (OSError, TimeoutError):
        return None
    return body if head.split(b"\r\n")[0].split()[1:2] == [b"200"] else None


async def _talk(port: int, path: str) -> bytes:
    # Our services send short answers whole, never chunked, and the connection ends after this one.
    request = f"GET {path} HTTP/1.1\r\nhost: {LOOPBACK}\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request.encode())
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
