"""Keep-alive connections that carry one request at a time."""

import asyncio
import time
from typing import Protocol, cast

import httptools

# Not the loop's: uvloop's stands still during a turn and counts whole milliseconds.
clock = time.perf_counter

FIRST_RETRY_SECONDS = 0.01
LAST_RETRY_SECONDS = 0.2


class Owner(Protocol):
    """Who sends by connections, and is told what comes of it."""

    def on_free(self, connection: "Connection") -> None:
        """It can take a request."""
        ...

    def on_answer(self, number: int, status: int, body: bytes) -> None:
        """The whole answer to a request is here."""
        ...

    def on_failure(self, number: int, reason: str) -> None:
        """No whole answer to a request will come."""
        ...


class Connection(asyncio.Protocol):
    """One connection. An answer ends by its length or its last chunk, never by the end of file."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._number: int | None = None
        self._sent_at = 0.0
        self._begun = False
        self._answers = 0
        self._keeps_alive = True
        self._body: list[bytes] = []
        self.closed = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        """Whether it may still carry requests."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, number: int, request: bytes) -> None:
        """Send a whole request; only while the connection is free."""
        self._number, self._sent_at, self._begun = number, clock(), False
        cast(asyncio.Transport, self._transport).write(request)

    def give_up(self, *, sent_before: float) -> None:
        """Break off when the request in flight was sent before this moment."""
        if self._number is not None and self._sent_at < sent_before:
            self._break("no answer in time")

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._owner.on_free(self)

    def data_received(self, data: bytes) -> None:
        """From the event loop."""
        if self._number is None:
            self.abort()  # nobody asked for it
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break("not HTTP")
            return
        if self._answers == 1:
            self._finish(self._number)
        elif self._answers:
            self._break("two answers")

    def connection_lost(self, exc: Exception | None) -> None:
        """From the event loop."""
        self._fail("closed within the answer" if self._begun else "closed without an answer")
        if not self.closed.done():
            self.closed.set_result(None)

    def on_body(self, body: bytes) -> None:
        """From the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """From the parser."""
        if self._parser.get_status_code() >= 200:
            self._answers += 1
            # Afterwards the parser doesn't know it any more.
            self._keeps_alive = self._parser.should_keep_alive()

    def _finish(self, number: int) -> None:
        body = b"".join(self._body)
        self._number, self._answers = None, 0
        self._body.clear()
        self._owner.on_answer(number, self._parser.get_status_code(), body)
        if self._keeps_alive:
            self._owner.on_free(self)
        else:
            self.abort()

    def _break(self, reason: str) -> None:
        self._fail(reason)
        self.abort()

    def _fail(self, reason: str) -> None:
        if self._number is not None:
            number, self._number = self._number, None
            self._owner.on_failure(number, reason)


class Place:
    """Where there is one connection after another: one that breaks is opened again."""

    def __init__(self, owner: Owner, host: str, port: int, *, timeout: float) -> None:
        self._owner = owner
        self._address = host, port
        self._timeout = timeout
        self._connection: Connection | None = None
        self.tried = asyncio.Event()

    async def keep(self) -> None:
        """Keep a connection open until cancelled; a server that is away is asked ever again."""
        pause = FIRST_RETRY_SECONDS
        try:
            while True:
                connection = await self._connect()
                self.tried.set()
                if connection is None:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LAST_RETRY_SECONDS)
                else:
                    pause = FIRST_RETRY_SECONDS
                    await connection.closed
        finally:
            if self._connection is not None:
                self._connection.abort()

    def break_off_late(self) -> None:
        """Give up an answer that is longer away than the time-out."""
        if self._connection is not None:
            self._connection.give_up(sent_before=clock() - self._timeout)

    async def _connect(self) -> Connection | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                _, self._connection = await loop.create_connection(self._new, *self._address)
        except OSError:
            return None
        return self._connection

    def _new(self) -> Connection:
        return Connection(self._owner)
