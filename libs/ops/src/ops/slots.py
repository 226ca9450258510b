"""The slots of the running platform: versions come up in them, get requests, and go.

What is active is kept in a file for the next start; what else runs ends with the platform.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from mesh.appmesh.manifests import UnknownName
from mesh.dataplane.plane import Plane, write_plane, write_routes
from mesh.dataplane.weights import BadWeights, weights_of, with_weights
from ops import ports, preparation
from ops.errors import OpsError
from ops.http_probe import listens
from ops.plane import with_slot
from ops.process import Phase
from ops.rollout.ports import Colour, Targets
from ops.services import SERVICES, Layout, Service, ingress_port, slot_ports
from ops.supervisor import Supervisor
from ops.tasks import together
from ops.versions import Active, Code, require_source, write_actives

MOST_REPLICAS = 10
ALL = range(1, MOST_REPLICAS + 1)
# Envoy takes up a file within milliseconds.
SPREAD_SECONDS = 0.3
ENVOY_SECONDS = 10.0
POLL = 0.02


class Slots:
    """What runs in the slots. `spread` writes an edge's routes, and says how many files changed."""

    def __init__(
        self, layout: Layout, plane: Plane, supervisor: Supervisor, spread: Callable[[Plane], int]
    ) -> None:
        self.layout = layout
        self.plane = plane
        self._supervisor = supervisor
        self._spread = spread
        self._codes = {
            (service.name, layout.active(service).colour): layout.active(service).code
            for service in SERVICES
        }
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def weights(self, service: Service) -> dict[str, int]:
        """Per cent of the requests by virtual node, as they hold now."""
        return weights_of(self.plane.manifests, service.virtual)

    def set_weights(self, service: str, weights: Mapping[str, int]) -> Mapping[str, int]:
        """Divide the requests of a virtual service anew, among virtual nodes.

        Says how many files of routes changed for the Envoys `mesh` and `edge`, which take them up
        within a fraction of a second and drop no request. OpsError when it can't be so.
        """
        try:
            manifests = with_weights(self.plane.manifests, service, weights)
        except (BadWeights, UnknownName) as error:
            raise OpsError(str(error), code=2) from error
        self.plane = replace(self.plane, manifests=manifests)
        return {"mesh": write_routes(self.plane), "edge": self._spread(self.plane)}

    def code(self, service: Service, colour: Colour) -> Code | None:
        """What is in a slot, if anything is."""
        return self._codes.get((service.name, colour))

    async def targets(self, service: Service, colour: Colour) -> Targets:
        """How the slot's apis are."""
        apis = [self._supervisor.processes[name] for name in self._apis(service, colour)]
        came_up = [one for one in apis if one.phase is Phase.READY]
        ready = await asyncio.gather(*(one.spec.ready() for one in came_up))
        running = sum(one.pid is not None for one in apis)
        return Targets(wanted=len(apis), running=running, ready=sum(ready))

    async def bring_up(
        self, service: Service, colour: Colour, code: Code, *, replicas: int
    ) -> None:
        """Have a version in the idle slot, its worker without the lease; returns once it is ready.

        StartError with its last words when it doesn't come up, and then it stays for a look.
        """
        async with self._locks[service.name]:
            up = (await self.targets(service, colour)).ready
            if self.code(service, colour) == code and up:
                return
            self._require_idle(service, colour)
            require_source(code, service.package)
            await self._clear(service, colour)
            if preparation.is_ahead(code, service.name):
                await preparation.migrate(self.layout, code)
            self._codes[service.name, colour] = code
            await self._resize(service, colour, replicas)

    async def scale(self, service: Service, colour: Colour, replicas: int) -> None:
        """Have so many apis in a slot; returns once they are ready."""
        async with self._locks[service.name]:
            if self.code(service, colour) is None:
                raise OpsError(f"Nothing runs in {service.node_of(colour)}.")
            await self._resize(service, colour, replicas)

    async def promote(self, service: Service, colour: Colour) -> None:
        """Make a slot the active one: its worker gets the lease, since the other one's stops."""
        async with self._locks[service.name]:
            code = self.code(service, colour)
            if code is None:
                raise OpsError(f"Nothing runs in {service.node_of(colour)}.")
            slot = Active(colour, code)
            await self._have_worker(service, slot)
            actives = {**self.layout.actives, service.name: slot}
            write_actives(self.layout.folder, actives)
            self.layout = replace(self.layout, actives=actives)
            await self._supervisor.remove([service.worker_of(colour.other)])

    async def retire(self, service: Service, colour: Colour) -> None:
        """Stop what is in a slot that is idle and gets nothing."""
        async with self._locks[service.name]:
            self._require_idle(service, colour)
            await self._clear(service, colour)

    def of_kind(self, kind: str) -> list[str]:
        """The names of all processes of the services that are apis, or workers."""
        every = ((service, colour) for service in SERVICES for colour in Colour)
        if kind == "worker":
            return [service.worker_of(colour) for service, colour in every]
        return [name for service, colour in every for name in self._apis(service, colour)]

    def _apis(self, service: Service, colour: Colour) -> list[str]:
        names = (service.api_of(colour, number) for number in ALL)
        return [name for name in names if name in self._supervisor.processes]

    def _require_idle(self, service: Service, colour: Colour) -> None:
        node = service.node_of(colour)
        if self.layout.active(service).colour is colour:
            raise OpsError(f"{node} is active.", code=2)
        if self.weights(service)[node]:
            raise OpsError(f"{node} gets requests.", code=2)

    async def _resize(self, service: Service, colour: Colour, replicas: int) -> None:
        if not 1 <= replicas <= MOST_REPLICAS:
            raise OpsError(f"A slot has 1 to {MOST_REPLICAS} processes here.", code=2)
        numbers = range(1, replicas + 1)
        self._allot(slot_ports(service, colour, numbers))
        slot = Active(colour, self._codes[service.name, colour])
        wanted = [self.layout.api_of(service, slot, number) for number in numbers]
        missing = [spec for spec in wanted if not self._is_kept(spec.name)]
        connected = {one.name for one in self.plane.instances}
        # Before the processes, since they call others when they start.
        present = [n for n in ALL if service.api_of(colour, n) in connected]
        await self._connect(service, colour, present)
        await together(
            self._have_worker(service, slot), self._supervisor.start(missing, vital=False)
        )
        await self._connect(service, colour, sorted({*present, *numbers}))
        await self._take_away(service, colour, numbers)

    async def _take_away(self, service: Service, colour: Colour, numbers: Sequence[int]) -> None:
        """Stop the apis of a slot besides those of these numbers; no request notices."""
        kept = {service.api_of(colour, number) for number in numbers}
        surplus = set(self._apis(service, colour)) - kept
        if surplus:
            self._write(replace(self.plane, waiting=frozenset(surplus)))
            await asyncio.sleep(SPREAD_SECONDS)
            await self._supervisor.remove(surplus)
        await self._connect(service, colour, numbers)

    async def _have_worker(self, service: Service, slot: Active) -> None:
        spec = self.layout.worker_of(service, slot)
        if not self._is_kept(spec.name):
            await self._supervisor.start([spec], vital=False)

    def _is_kept(self, name: str) -> bool:
        process = self._supervisor.processes.get(name)
        return process is not None and process.phase not in (Phase.STOPPED, Phase.FAILED)

    async def _clear(self, service: Service, colour: Colour) -> None:
        if self.code(service, colour) is None:
            return
        await self._take_away(service, colour, [])
        await self._supervisor.remove([service.worker_of(colour)])
        del self._codes[service.name, colour]

    async def _connect(self, service: Service, colour: Colour, numbers: Sequence[int]) -> None:
        """Let the mesh call a slot's apis of these numbers, and return once it does."""
        self._allot(slot_ports(service, colour, []))
        known = {one.name for one in self.plane.instances}
        apis = [service.api_of(colour, number) for number in numbers]
        plane = with_slot(self.plane, self.layout, service, colour, numbers)
        # Envoy listens before anybody is told to call there.
        self._write(replace(plane, waiting=frozenset(apis) - known))
        await _come_true(listens([self.layout.ports[ingress_port(api)] for api in apis]))
        self._write(replace(self.plane, waiting=frozenset()))

    def _write(self, plane: Plane) -> None:
        self.plane = plane
        write_plane(plane)

    def _allot(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self.layout.ports]
        if missing:
            allotted = ports.allot(missing, self.layout.folder.ports_file)
            self.layout = replace(self.layout, ports={**self.layout.ports, **allotted})


async def _come_true(probe: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(ENVOY_SECONDS):
            while True:
                if await probe():
                    return
                await asyncio.sleep(POLL)
    except TimeoutError as error:
        raise OpsError("The mesh's Envoy doesn't take up where a process is.") from error
