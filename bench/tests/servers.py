"""Small servers on loopback that answer well, badly or not at all."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

Reply = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, *, status: str = "200 OK", extra: str = "") -> bytes:
    """A whole answer with its length."""
    return f"HTTP/1.1 {status}\r\n{extra}content-length: {len(body)}\r\n\r\n".encode() + body


def request(number: int) -> bytes:
    """A request that says its number in its path."""
    return f"GET /{number} HTTP/1.1\r\nhost: test\r\n\r\n".encode()


async def echo(number: int, writer: asyncio.StreamWriter) -> None:
    """The number, as it should be."""
    writer.write(answer(b"%d" % number))


@asynccontextmanager
async def serving(reply: Reply, *, port: int = 0) -> AsyncGenerator[int]:
    """A port where `reply` writes the answer to each request; closing its writer hangs up."""
    talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks[cast("asyncio.Task[None]", asyncio.current_task())] = writer
        while head := await _head(reader):
            await reply(int(head.split(b" ")[1][1:]), writer)
            if writer.is_closing():
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in talks.values():
            writer.transport.abort()
        await asyncio.gather(*talks)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
