"""A running platform: brought up in order, looked after, shut down in the opposite order."""

import asyncio
from collections.abc import Iterable

from mesh.dataplane.plane import Plane
from mesh.edge import write_edge_routes
from ops import database, edge, first_values, keys_copy, logfiles, plane, ports, preparation, seeds
from ops.console import Screen
from ops.process import Process, Spec
from ops.services import AUTH, CONFIG, SERVICES, Layout, port_names
from ops.slots import Slots
from ops.state import StateFolder
from ops.supervisor import Supervisor
from ops.tasks import again_and_again, together
from ops.versions import read_actives, require_source

CUT_PAUSE = 30.0
KEYS_PAUSE = 10.0


class Platform:
    """Everything that runs for one state folder. Ports are allotted when it is made."""

    def __init__(self, folder: StateFolder, port: int, screen: Screen) -> None:
        actives = read_actives(folder)
        for service in SERVICES:
            if service.name in actives:
                require_source(actives[service.name].code, service.package)
        allotted = ports.allot([database.NAME, *port_names(actives)], folder.ports_file)
        self.folder = folder
        self.screen = screen
        layout = Layout.of(folder, {**allotted, edge.NAME: port}, actives)
        self.edge = edge.describe(layout)
        self.server = database.server_of(folder, allotted[database.NAME])
        self.supervisor = Supervisor(folder, screen.event)
        self.slots = Slots(
            layout, plane.plane_of(layout, plane.read_manifests()), self.supervisor, self._spread
        )
        self.url = f"http://{ports.LOOPBACK}:{port}"
        self._chores: list[asyncio.Task[None]] = []

    async def bring_up(self) -> None:
        """Start everything and return once it serves."""
        edge.require_binary()
        await self._make_folders()
        if preparation.is_done(self.folder):
            # The services wait for the database by themselves.
            await together(self._start_database(), self._start_mesh(), self._start_services())
        else:
            await together(self._start_database(), self._start_mesh())
            await self._migrate()
            await together(self._plant(), self._start_for_prices())
            await self._put_prices()
            await self._start_services()
            preparation.note_done(self.folder)
        await self._start_edge()
        self._chores = [
            asyncio.create_task(again_and_again(pause, work, self.screen.event))
            for pause, work in ((CUT_PAUSE, self._cut_logs), (KEYS_PAUSE, self._refresh_keys))
        ]

    @property
    def layout(self) -> Layout:
        """Where everything is now."""
        return self.slots.layout

    def weights(self) -> dict[str, dict[str, int]]:
        """The weights of each service by virtual node, as they hold now.

        They hold until the platform stops: the next start gives all to what is active.
        """
        return {service.virtual: self.slots.weights(service) for service in SERVICES}

    async def shut_down(self) -> None:
        """Stop everything, what asks before what is asked."""
        for chore in self._chores:
            chore.cancel()
        await self.supervisor.stop(
            self._named([edge.NAME]),
            self._named(self.slots.of_kind("api")),
            self._named(self.slots.of_kind("worker")),
            self._named([plane.NAME]),
            self._named([database.NAME]),
        )
        edge.forget(self.layout)
        # A start that was interrupted may have left a server that nobody knows yet.
        await database.in_thread(self.server.stop)

    async def _make_folders(self) -> None:
        self.layout.prepare_folders()
        if not self.server.data_dir.exists():
            with self.screen.step("Making the data folder"):
                await database.in_thread(self.server.initialise)
            preparation.forget(self.folder)

    async def _start_database(self) -> None:
        with self.screen.step("Starting Postgres"):
            await self.supervisor.start([database.spec(self.server)])

    async def _start_mesh(self) -> None:
        with self.screen.step("Starting the mesh"):
            await self.supervisor.start([plane.spec(self.layout, self.slots.plane)])

    async def _migrate(self) -> None:
        with self.screen.step("Making databases, roles and tables"):
            await preparation.migrate(self.layout)
            for service in SERVICES:
                code = self.layout.active(service).code
                if preparation.is_ahead(code, service.name):
                    await preparation.migrate(self.layout, code)

    async def _plant(self) -> None:
        with self.screen.step("Making demo companies and people"):
            await seeds.plant(self.layout)

    async def _start_services(self) -> None:
        with self.screen.step("Starting the services"):
            await self.supervisor.start(self._not_started())

    async def _start_for_prices(self) -> None:
        # Before booking, which asks for prices when it starts and then for a while not again.
        with self.screen.step("Starting identity and configuration"):
            await self.supervisor.start(self.layout.apis(AUTH, CONFIG))

    async def _put_prices(self) -> None:
        with self.screen.step("Putting in the first prices"):
            await asyncio.to_thread(
                first_values.put_unless_there,
                self.folder,
                auth_url=self.layout.api_url(AUTH),
                config_url=self.layout.api_url(CONFIG),
            )

    async def _start_edge(self) -> None:
        with self.screen.step("Starting the edge"):
            keys_copy.take_last(self.layout, self.edge.tokens)
            await self._refresh_keys()
            egress = plane.egress_of_edge(self.slots.plane)
            await self.supervisor.start([edge.spec(self.layout, self.edge, egress)])

    def _spread(self, changed: Plane) -> int:
        return write_edge_routes(self.edge, plane.egress_of_edge(changed))

    async def _refresh_keys(self) -> None:
        await keys_copy.refresh(self.layout, self.edge.tokens)

    async def _cut_logs(self) -> None:
        for log in self.folder.logs.glob("*.log"):
            logfiles.cut(log)

    def _not_started(self) -> list[Spec]:
        specs = [*self.layout.apis(), *self.layout.workers()]
        return [spec for spec in specs if spec.name not in self.supervisor.processes]

    def _named(self, names: Iterable[str]) -> list[Process]:
        processes = self.supervisor.processes
        return [processes[name] for name in names if name in processes]
