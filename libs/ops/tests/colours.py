"""Two colours of booking behind the mesh's real Envoy, as the laptop has them."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mesh.dataplane.ingress import Instance
from mesh.dataplane.plane import Plane, write_plane
from mesh.dataplane.weights import with_weights
from mesh.description import Admin, Endpoint
from mesh.envoy import envoy_command
from ops.child import Child, Command, launcher
from ops.http_probe import LENGTH, listens
from ops.plane import read_manifests
from ops.ports import LOOPBACK, allot
from ops.rollout.ports import Colour

SERVICE = "booking-service"
ASKED = re.compile(rb"\r\nx-ubertruck-colour: (\w+)\r\n", re.IGNORECASE)
HOST = f"{SERVICE}.ubertruck.local:8080"


class App:
    """A version: which requests fail, and how long each takes, in seconds.

    It answers 200 and nothing, or what stands in `answers` by path, and 500 at each
    `fails_each`-th request.
    """

    def __init__(self) -> None:
        self.fails_each = 0
        self.delay = 0.0
        self.seen = 0
        self.port = 0
        self.colours: set[str] = set()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """On a port of its own, until the end of the block or `crash`."""
        self._server = await asyncio.start_server(self._talk, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            await self.crash()

    async def crash(self) -> None:
        """Nobody listens any more."""
        assert self._server is not None
        self._server.close()
        talks = [*self._talks]
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._talks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            self._talks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self.seen += 1
        self.colours |= {one.decode() for one in ASKED.findall(head)}
        path = head.split(b" ", 2)[1].decode()
        failed = self.fails_each and self.seen % self.fails_each == 0
        await asyncio.sleep(self.delay)
        status, body = (500, b"") if failed else self.answers.get(path, (200, b""))
        length = b"content-length: %d\r\n\r\n" % len(body)
        writer.write(b"HTTP/1.1 %d As told\r\n" % status + length + body)


@dataclass
class Colours:
    """A running plane: `blue` and `green` answer by their weights, 90 and 10 at first."""

    socket: Path
    apps: dict[Colour, App]
    ports: dict[str, int]
    envoy: Child

    async def send(
        self, number: int, *, method: str = "POST", path: str = "/v1/booking", at_once: int = 20
    ) -> None:
        """So many requests by the mesh, to whom the weights say."""
        request = f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 0\r\n\r\n"

        async def some(share: int) -> None:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.ports["egress"])
            for _ in range(share):
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
            writer.close()
            await writer.wait_closed()

        shares = [len(range(first, number, at_once)) for first in range(at_once)]
        await asyncio.gather(*(some(share) for share in shares if share))


@asynccontextmanager
async def colours(folder: Path, *, green: int = 10) -> AsyncGenerator[Colours]:
    """Both colours, on a data plane of their own, until the end of the block."""
    async with AsyncExitStack() as held:
        apps = {colour: App() for colour in Colour}
        for app in apps.values():
            await held.enter_async_context(app.listening())
        ports = allot(["egress", *Colour], folder / "ports.json")
        weights = {f"{SERVICE}-blue": 100 - green, f"{SERVICE}-green": green}
        plane = Plane(
            folder=folder,
            manifests=with_weights(read_manifests(), SERVICE, weights),
            instances=tuple(
                Instance(
                    name=f"booking-{colour}-1",
                    node=f"{SERVICE}-{colour}",
                    application=_at(apps[colour].port),
                    ingress=_at(ports[colour]),
                )
                for colour in Colour
            ),
            egress={"edge": _at(ports["egress"])},
            admin=Admin(socket=folder / "admin.sock"),
        )
        write_plane(plane)
        start = launcher(
            Command(argv=envoy_command(plane.bootstrap), env={}, log=folder / "envoy.log")
        )
        envoy = await start()
        held.push_async_callback(envoy.wait)
        held.callback(envoy.kill_group)
        ready = listens([*ports.values()])
        async with asyncio.timeout(30):
            while not await ready():
                await asyncio.sleep(0.02)
        yield Colours(folder / "admin.sock", apps, ports, envoy)


def _at(port: int) -> Endpoint:
    return Endpoint(host=LOOPBACK, port=port)
