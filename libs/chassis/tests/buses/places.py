"""Where a bus lives, for tests that hold for every bus: ways to reach it, to cut it off, and to
write to its queues past it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from chassis.bus import Bus


class Way:
    """A TCP port of ours that leads to another one, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Whoever is on the way falls, and nobody new gets on it."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there[1]}
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        self._writers -= {writer, there[1]}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def way_to(host: str, port: int) -> AsyncGenerator[Way]:
    way = Way(host, port)
    await way.open()
    try:
        yield way
    finally:
        way.cut()
        # The ends of its connections take a turn of the loop.
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Place:
    """`connect` opens the bus over `way`; `put` writes a body to a queue without a bus."""

    way: Way
    connect: Callable[[], AbstractAsyncContextManager[Bus]]
    put: Callable[[str, bytes], Awaitable[object]]
