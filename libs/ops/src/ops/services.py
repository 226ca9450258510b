"""The services of the platform as processes: an api for requests and a worker for each."""

import json
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import psutil

from ops.child import Command, launcher
from ops.credentials import Credentials, ensure
from ops.environment import base_environment
from ops.errors import OpsError
from ops.http_probe import answers_ok
from ops.ports import LOOPBACK
from ops.process import Spec
from ops.rollout.ports import Colour
from ops.stale import mark
from ops.state import StateFolder, read_json
from ops.versions import Active, read_actives

ISSUER = "https://auth.ubertruck.com"
AUDIENCE = "api.ubertruck.com"
ENVIRONMENT = "dev"
DRAIN_SECONDS = 8.0
GRACE = 10.0


def roles_of(database: str) -> tuple[str, str]:
    """The role that owns a database's tables, and the one that processes log in as."""
    return (f"{database}_migrator", f"{database}_runtime")


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service: `name` is that of its database and processes, `package` what is run.

    `client` is its own client at auth-service, for those that call others. `has_events` says that
    it sends or handles events.
    """

    name: str
    package: str
    title: str
    client: str | None = None
    has_events: bool = False

    def api_of(self, colour: Colour, number: int = 1) -> str:
        """The name of a process of a slot that answers requests."""
        return f"{self.name}-{colour}-{number}"

    def worker_of(self, colour: Colour) -> str:
        """The name of the process of a slot that works in the background."""
        return f"{self.name}-{colour}-worker"

    def node_of(self, colour: Colour) -> str:
        """The virtual node that a slot's processes belong to."""
        return f"{self.virtual}-{colour}"

    @property
    def api(self) -> str:
        """The name of the process that answers requests of a platform that was never changed."""
        return self.api_of(Colour.BLUE)

    @property
    def node(self) -> str:
        """The virtual node of a platform that was never changed."""
        return self.node_of(Colour.BLUE)

    @property
    def virtual(self) -> str:
        """The virtual service that others call it by."""
        return f"{self.name}-service"

    @property
    def authority(self) -> str:
        """The address that others dial, here and in a cluster."""
        return f"{self.virtual}.ubertruck.local:8080"

    @property
    def database_roles(self) -> tuple[str, str]:
        """The role that owns the tables, and the one that the processes log in as."""
        return roles_of(self.name)


SERVICES = (
    Service(name="auth", package="auth_service", title="Identity"),
    Service(name="config", package="config_service", title="Configuration"),
    Service(name="booking", package="booking", title="Booking", client="booking", has_events=True),
)
AUTH, CONFIG, BOOKING = SERVICES
# Where processors are short, whoever waits for an answer goes before what happens behind them.
WORKER_NICENESS = 5
# The event bus is a database without a service: every worker uses it.
BUS = "bus"
# The virtual node of who calls from the edge.
EDGE_NODE = "edge"
DATABASES = (*(service.name for service in SERVICES), BUS)


def health_port(process: str) -> str:
    """The name under which a process's health port is allotted."""
    return f"{process}-health"


def ingress_port(process: str) -> str:
    """The name under which the port is allotted by which the mesh calls a process."""
    return f"{process}-ingress"


def egress_port(node: str) -> str:
    """The name under which the port is allotted by which a virtual node calls others."""
    return f"{node}-egress"


def port_names(actives: Mapping[str, Active] | None = None) -> list[str]:
    """Every port that the services and the mesh between them need at a start, by name."""
    found = [egress_port(EDGE_NODE)]
    for service in SERVICES:
        colour = (actives or {}).get(service.name, Active()).colour
        found += slot_ports(service, colour, [1])
    return found


def slot_ports(service: Service, colour: Colour, numbers: Iterable[int]) -> list[str]:
    """Every port that a slot needs, with apis of these numbers."""
    apis = [service.api_of(colour, number) for number in numbers]
    return [
        *apis,
        *(health_port(name) for name in (*apis, service.worker_of(colour))),
        *(ingress_port(api) for api in apis),
        egress_port(service.node_of(colour)),
    ]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything of one platform is; `ports` by the names of `port_names` and `postgres`.

    `actives` says for services that were changed which slot is active, and with what.
    """

    folder: StateFolder
    ports: Mapping[str, int]
    credentials: Credentials
    actives: Mapping[str, Active] = field(default_factory=dict[str, Active])

    @classmethod
    def of(
        cls,
        folder: StateFolder,
        ports: Mapping[str, int],
        actives: Mapping[str, Active] | None = None,
    ) -> "Layout":
        """The layout over a state folder, whose secrets are made if need be."""
        roles = [role for database in DATABASES for role in roles_of(database)]
        clients = [service.client for service in SERVICES if service.client is not None]
        return cls(
            folder=folder,
            ports=ports,
            credentials=ensure(folder, roles=roles, clients=clients),
            actives=actives or {},
        )

    @classmethod
    def remembered(cls, folder: StateFolder) -> "Layout":
        """The layout of the latest start; OpsError when there was none."""
        found = read_json(folder.ports_file)
        ports = {name: port for name, port in found.items() if isinstance(port, int)}
        if not ports:
            raise OpsError(f"Ubertruck has never run on {folder.root}. Start it: ubertruck up")
        return cls.of(folder, ports, read_actives(folder))

    def active(self, service: Service) -> Active:
        """The service's active slot."""
        return self.actives.get(service.name, Active())

    def api_port(self, service: Service) -> int:
        """Where the active api of a service listens."""
        return self.ports[service.api_of(self.active(service).colour)]

    def api_url(self, service: Service) -> str:
        """The same as a URL."""
        return f"http://{LOOPBACK}:{self.api_port(service)}"

    def environment(self, service: Service, slot: Active | None = None) -> dict[str, str]:
        """What every process of a slot, the active one if none is given, reads at its start.

        Its ports come on top.
        """
        colour, code = (slot or self.active(service)).colour, (slot or self.active(service)).code
        state = self.folder.service(service.name)
        settings = {
            "ENVIRONMENT": ENVIRONMENT,
            "COLOUR": str(colour),
            "DATABASE_URL": self.database_url(service),
            "HOST": LOOPBACK,
            "STATE_DIR": str(state),
            "TOKEN_ISSUER": ISSUER,
            "TOKEN_AUDIENCE": AUDIENCE,
            "DRAIN_TIMEOUT": str(DRAIN_SECONDS),
            "LOG_FORMAT": "json",
        }
        if service is AUTH:
            settings["ADMIN_NETWORKS"] = json.dumps(_addresses_of_this_machine())
            settings["MASTER_KEY_FILE"] = str(self.credentials.master_key_file)
        if service.client is not None:
            settings["CLIENT_ID"] = service.client
            secret = self.credentials.client_secret_files[service.client]
            settings["CLIENT_SECRET_FILE"] = str(secret)
        ours = {f"UBERTRUCK_{name}": value for name, value in settings.items()}
        way_out = self._way_out(service.node_of(colour))
        return base_environment(python_path=code.python_path) | mark(self.folder) | way_out | ours

    def _way_out(self, node: str) -> dict[str, str]:
        """How others are called by the same names as in a cluster, where sidecars do it."""
        proxy = f"http://{LOOPBACK}:{self.ports[egress_port(node)]}"
        return {"HTTP_PROXY": proxy, "NO_PROXY": f"localhost,{LOOPBACK}"}

    def command(
        self, service: Service, *arguments: str, process: str, slot: Active | None = None
    ) -> Command:
        """A command of the service's package, with its environment."""
        return Command(
            argv=[sys.executable, "-m", service.package, *arguments],
            env=self.environment(service, slot),
            log=self.folder.log_of(process),
        )

    def apis(self, *services: Service) -> list[Spec]:
        """The processes that answer requests, of these services or of all."""
        return [self.api_of(service, self.active(service)) for service in services or SERVICES]

    def workers(self) -> list[Spec]:
        """The processes that work in the background."""
        return [self.worker_of(service, self.active(service)) for service in SERVICES]

    def api_of(self, service: Service, slot: Active, number: int = 1) -> Spec:
        """A process of a slot that answers requests."""
        return self._process(service, slot, "api", service.api_of(slot.colour, number))

    def worker_of(self, service: Service, slot: Active) -> Spec:
        """The process of a slot that works in the background."""
        return self._process(service, slot, "worker", service.worker_of(slot.colour))

    def prepare_folders(self) -> None:
        """Make the folders that the services keep their files in."""
        for service in SERVICES:
            self.folder.service(service.name).mkdir(mode=0o700, exist_ok=True)

    def _process(self, service: Service, slot: Active, kind: str, name: str) -> Spec:
        health = self.ports[health_port(name)]
        port = self.ports.get(name)
        command = self.command(service, kind, process=name, slot=slot)
        ports = {"UBERTRUCK_HEALTH_PORT": str(health)}
        if port is not None:
            ports["UBERTRUCK_PORT"] = str(port)
        bus = {"UBERTRUCK_BUS_URL": self.bus_url} if kind == "worker" else {}
        niceness = WORKER_NICENESS if kind == "worker" else 0
        return Spec(
            name=name,
            launch=launcher(
                replace(command, env={**command.env, **ports, **bus}, niceness=niceness)
            ),
            log=command.log,
            ready=answers_ok(health, "/readyz"),
            port=port,
            grace=GRACE,
        )

    def database_url(self, service: Service) -> str:
        """`postgresql+asyncpg://…` of the service's runtime role."""
        return self._url_of(service.name)

    @property
    def bus_url(self) -> str:
        """`postgresql+asyncpg://…` of the bus, as its workers use it."""
        return self._url_of(BUS)

    def _url_of(self, database: str) -> str:
        role = roles_of(database)[1]
        password = quote(self.credentials.database[role])
        where = f"{LOOPBACK}:{self.ports['postgres']}"
        return f"postgresql+asyncpg://{role}:{password}@{where}/{database}"


def _addresses_of_this_machine() -> list[str]:
    # The edge listens on loopback only, so every caller is local; but Envoy says of a caller from
    # loopback that it comes from the machine's own address.
    interfaces = psutil.net_if_addrs().values()
    addresses = [address for interface in interfaces for address in interface]
    return [
        address.address.partition("%")[0]
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    ]
