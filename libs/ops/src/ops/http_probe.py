"""Whether a process answers on loopback, asked with as little as possible."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ops.ports import LOOPBACK

TIMEOUT = 2.0


def answers_ok(port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """A probe: does `GET path` on this loopback port answer 200?"""

    async def probe() -> bool:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(TIMEOUT):
                return b" 200 " in await _status_line(port, path)
        return False

    return probe


async def _status_line(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nhost: {LOOPBACK}\r\nconnection: close\r\n\r\n"
        writer.write(request.encode())
        return await reader.readuntil(b"\r\n")
    finally:
        writer.close()
