"""Waiting for what happens by itself, and somebody to ask."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

PATIENCE = 20.0


async def eventually(condition: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Return once `condition` holds; AssertionError when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncGenerator[int]:
    """A port where everybody gets `answer`, or none at all."""

    talks: list[asyncio.Future[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = asyncio.get_running_loop().create_future()
        talks.append(over)
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            head, separator, body = answer.partition(b"\r\n\r\n")
            writer.write(head + separator)
            await asyncio.sleep(0.01)  # A body rarely comes together with its head.
            writer.write(body)
            writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set_result(None)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*talks)
