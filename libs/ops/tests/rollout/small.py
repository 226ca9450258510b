"""A small laptop: the slots of booking, a real Envoy and a control socket, and nothing else.

What runs in the slots are versions of `tiny`; who calls them comes by the edge's egress.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ops import control, plane, ports
from ops.process import RestartPolicy
from ops.rollout.laptop import LaptopSite
from ops.rollout.ports import Colour
from ops.services import BOOKING, EDGE_NODE, Layout, egress_port, port_names
from ops.slot_handlers import slot_handlers
from ops.slots import Slots
from ops.state import StateFolder
from ops.supervisor import Supervisor
from ops.versions import Active, Code, read_actives, write_actives

SERVICE = BOOKING.virtual
QUICK = RestartPolicy(first=0.05, most=0.1, healthy=60)


@dataclass
class Small:
    """A small laptop and what its users saw."""

    folder: StateFolder
    slots: Slots
    supervisor: Supervisor

    @property
    def site(self) -> LaptopSite:
        """How a rollout sees it."""
        return LaptopSite(self.folder)

    def caller(self, colour: str | None = None) -> "Caller":
        """Somebody who asks booking, an operator if he asks for a colour."""
        return Caller(self.slots.layout.ports[egress_port(EDGE_NODE)], colour)


@asynccontextmanager
async def small_laptop(folder: Path, good: Path) -> AsyncGenerator[Small]:
    """A small laptop on which `good` is what is active, until it is changed."""
    state = StateFolder(folder / ".ubertruck")
    state.prepare()
    if not read_actives(state):
        write_actives(state, {BOOKING.name: Active(Colour.BLUE, Code(str(good), good))})
    actives = read_actives(state)
    layout = Layout.of(
        state, ports.allot(["postgres", *port_names(actives)], state.ports_file), actives
    )
    layout.prepare_folders()
    supervisor = Supervisor(state, print, QUICK)
    found = plane.plane_of(layout, plane.read_manifests())
    slots = Slots(layout, found, supervisor, lambda changed: 0)
    try:
        worker = layout.worker_of(BOOKING, layout.active(BOOKING))
        await supervisor.start([plane.spec(layout, found), *layout.apis(BOOKING), worker])
        async with control.serve(state, slot_handlers(slots)):
            yield Small(state, slots, supervisor)
    finally:
        await supervisor.stop(supervisor.processes.values())


@dataclass
class Caller:
    """Asks `rate` times a second, by many connections; counts statuses and versions.

    What could not be asked in time is asked as soon as it can be. `answers` and `failures` are
    the times of them, in monotonic seconds.
    """

    port: int
    colour: str | None = None
    statuses: Counter[int] = field(default_factory=Counter[int])
    versions: Counter[str] = field(default_factory=Counter[str])
    failures: list[float] = field(default_factory=list[float])
    answers: list[float] = field(default_factory=list[float])

    async def ask(self) -> str:
        """One request by a connection of its own: which version answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await self._exchange(reader, writer)
        finally:
            writer.close()

    @asynccontextmanager
    async def asking(self, rate: float, *, connections: int = 8) -> AsyncGenerator["Caller"]:
        """Asks while the body runs."""
        pause = connections / rate
        tasks = [asyncio.create_task(self._again_and_again(pause)) for _ in range(connections)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            faults = [one for one in ends if not isinstance(one, asyncio.CancelledError)]
            assert not faults, faults

    async def _again_and_again(self, pause: float) -> None:
        due = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while True:
                due += pause
                await asyncio.sleep(due - time.monotonic())
                await self._exchange(reader, writer)
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        colour = f"x-ubertruck-colour: {self.colour}\r\n" if self.colour else ""
        # A POST without a key: tried once, so that every failure is one of the version's.
        request = f"POST / HTTP/1.1\r\nhost: {BOOKING.authority}\r\n{colour}content-length: 0\r\n"
        writer.write(f"{request}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = 0
        for line in head.split("\r\n"):
            if line.lower().startswith("content-length:"):
                length = int(line.partition(":")[2])
        body = (await reader.readexactly(length)).decode()
        status = int(head.split()[1])
        self.statuses[status] += 1
        self.answers.append(time.monotonic())
        if status == 200:
            self.versions[body] += 1
        else:
            self.failures.append(self.answers[-1])
        return body
