"""uvicorn's HTTP, with what it writes at once also sent at once.

uvicorn writes an answer's head and its body apart, and uvloop sends each write as it comes: two
calls to the kernel, two segments, and for the proxy in front two wake-ups.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWriteProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Let what uvicorn writes pass through a `Gathering`."""
        super().connection_made(transport)
        self.transport = Gathering(transport, self.loop)


class Gathering(asyncio.Transport):
    """A transport that sends what was written when the event loop comes round."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: Any) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(cast(bytes, data))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        # The connection may have been lost since.
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))
