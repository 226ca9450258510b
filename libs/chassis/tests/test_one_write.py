"""An answer leaves by one write, and nothing is held back that an application wanted sent."""

import asyncio

from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from chassis.one_write import OneWriteProtocol

ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Wire(asyncio.Transport):
    """The other end, which remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        assert not self.closed
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def whole(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


async def asked(app: object, wire: Wire, request: bytes = ASKED) -> OneWriteProtocol:
    """A protocol over `wire` that got the request, a moment later."""
    config = Config(app, log_config=None, access_log=False, lifespan="off")  # pyright: ignore[reportArgumentType] - uvicorn's own union of applications
    config.load()
    protocol = OneWriteProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(wire)
    protocol.data_received(request)
    for _ in range(4):
        await asyncio.sleep(0)
    return protocol


async def test_head_and_body_leave_together() -> None:
    wire = Wire()
    await asked(whole, wire)
    (answer,) = wire.writes
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nok")


async def test_what_is_streamed_leaves_as_it_comes() -> None:
    more = asyncio.Event()

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await more.wait()
        await send({"type": "http.response.body", "body": b"two"})

    wire = Wire()
    await asked(stream, wire)
    assert wire.writes[-1].endswith(b"one\r\n")
    more.set()
    for _ in range(4):
        await asyncio.sleep(0)
    assert b"two" in wire.writes[-1]
    assert len(wire.writes) == 2


async def test_an_answer_is_sent_before_the_connection_is_closed() -> None:
    wire = Wire()
    await asked(whole, wire, ASKED.replace(b"1.1", b"1.0"))
    assert wire.closed
    assert b"".join(wire.writes).endswith(b"ok")


async def test_a_connection_that_was_lost_meanwhile_is_left_alone() -> None:
    async def lost(scope: Scope, receive: Receive, send: Send) -> None:
        await whole(scope, receive, send)
        wire.closed = True

    wire = Wire()
    await asked(lost, wire)
    assert wire.writes == []
