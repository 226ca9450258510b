"""Two colours of booking behind the mesh's real Envoy, as the laptop has them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

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
HOST = f"{SERVICE}.ubertruck.local:8080"


class App:
    """A version: every how many-th request fails, and how long each takes, in seconds."""

    def __init__(self) -> None:
        self.fails_each = 0
        self.delay = 0.0
        self.seen = 0
        self.connections: set[asyncio.StreamWriter] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.seen += 1
                failed = self.fails_each and self.seen % self.fails_each == 0
                await asyncio.sleep(self.delay)
                writer.write(b"HTTP/1.1 %d As told\r\n" % (500 if failed else 200))
                writer.write(b"content-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@dataclass
class Colours:
    """A running plane: `blue` and `green` answer by their weights, 90 and 10 at first."""

    socket: Path
    apps: dict[Colour, App]
    servers: dict[Colour, asyncio.Server]
    port: int
    envoy: Child

    async def send(self, number: int, *, method: str = "POST", at_once: int = 20) -> None:
        """So many requests by the mesh, to whom the weights say."""
        request = f"{method} /v1/booking HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 0\r\n\r\n"

        async def some(share: int) -> None:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
            for _ in range(share):
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
            writer.close()
            await writer.wait_closed()

        shares = [len(range(first, number, at_once)) for first in range(at_once)]
        await asyncio.gather(*(some(share) for share in shares if share))

    def crash(self, colour: Colour) -> None:
        """Nobody listens any more."""
        self.servers[colour].close()
        for connection in self.apps[colour].connections:
            connection.close()


@asynccontextmanager
async def colours(folder: Path, *, green: int = 10) -> AsyncGenerator[Colours]:
    """Both colours, on a data plane of their own, until the end of the block."""
    async with AsyncExitStack() as held:
        apps = {colour: App() for colour in Colour}
        servers = {
            colour: await held.enter_async_context(
                await asyncio.start_server(apps[colour].talk, LOOPBACK, 0)
            )
            for colour in Colour
        }
        ports = allot(["egress", *Colour], folder / "ports.json")
        weights = {f"{SERVICE}-blue": 100 - green, f"{SERVICE}-green": green}
        plane = Plane(
            folder=folder,
            manifests=with_weights(read_manifests(), SERVICE, weights),
            instances=tuple(
                Instance(
                    name=f"booking-{colour}-1",
                    node=f"{SERVICE}-{colour}",
                    application=_at(servers[colour].sockets[0].getsockname()[1]),
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
        while not await ready():
            await asyncio.sleep(0.02)
        yield Colours(folder / "admin.sock", apps, servers, ports["egress"], envoy)


def _at(port: int) -> Endpoint:
    return Endpoint(host=LOOPBACK, port=port)
