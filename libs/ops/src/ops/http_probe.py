"""Whether a process answers on loopback, and what: asked with as little as possible."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from ops.ports import LOOPBACK

TIMEOUT = 2.0
OK = re.compile(rb"HTTP/1\.1 200 ")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)


def answers_ok(port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """A probe: does `GET path` on this loopback port answer 200?"""

    async def probe() -> bool:
        return await fetch(port, path) is not None

    return probe


def listens(ports: Sequence[int]) -> Callable[[], Awaitable[bool]]:
    """A probe: do all of these loopback ports take connections?"""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(TIMEOUT):
                for port in ports:
                    _, writer = await asyncio.open_connection(LOOPBACK, port)
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return True

    return probe


async def fetch(port: int, path: str) -> bytes | None:
    """The body of the answer to `GET path` on this loopback port; None unless it is a 200."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _ask(port, path)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None


async def _ask(port: int, path: str) -> bytes | None:
    request = f"GET {path} HTTP/1.1\r\nhost: {LOOPBACK}\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        # Waiting for the end instead would cost a second where a proxy lingers before it closes.
        length = LENGTH.search(head)
        body = await (reader.readexactly(int(length[1])) if length else reader.read())
        return body if OK.match(head) else None
    finally:
        writer.close()
        await writer.wait_closed()
