"""A data plane under test: a real Envoy with egress of one caller and ingress of some processes."""

import json
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mesh.appmesh.manifests import Manifests
from mesh.dataplane.ingress import Instance
from mesh.dataplane.plane import Plane, write_plane
from mesh.dataplane.weights import with_weights
from mesh.description import Admin, Endpoint
from mesh.envoy import envoy_command

from .fleet import Fleet
from .gateway import admin, die_with_parent, eventually
from .rendered import CALLER
from .wire import Caller

LOOPBACK = "127.0.0.1"
# Process by process: its virtual node.
INSTANCES = {
    "quick-blue-1": "quick-service-blue",
    "quick-blue-2": "quick-service-blue",
    "quick-blue-3": "quick-service-blue",
    "quick-green-1": "quick-service-green",
    "booking-blue-1": "booking-service-blue",
    "booking-green-1": "booking-service-green",
    "payment-blue-1": "payment-service-blue",
}
QUICK = "quick-service"


@dataclass
class RunningPlane:
    """What callers, and who looks after it, see of a data plane."""

    plane: Plane
    fleet: Fleet

    def caller(self, service: str, caller: str = CALLER) -> Caller:
        """One who calls a service by its name."""
        return Caller(self.plane.egress[caller].port, f"{service}.ubertruck.local:8080")

    def change(self, **changes: Any) -> None:
        """Other manifests or instances, while it runs; returns once Envoy has taken them up."""
        before = self._updates()
        self.plane = replace(self.plane, **changes)
        write_plane(self.plane)
        eventually(lambda: self._updates() > before and has_listeners(self.plane))

    def set_weights(self, service: str, **weights: int) -> None:
        """Other weights of a service, by colour; returns once they are live."""
        named = {f"{service}-{colour}": weight for colour, weight in weights.items()}
        self.change(manifests=with_weights(self.plane.manifests, service, named))

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges by name."""
        text = self._ask(f"/stats?filter={pattern}").text
        pairs = (line.split(": ") for line in text.splitlines())
        return {name: int(value) for name, value in pairs if value.isdecimal()}

    def stat(self, name: str) -> int:
        """One counter or gauge; 0 as long as there is none."""
        return self.stats(f"^{name}$").get(name, 0)

    def histogram(self, name: str) -> dict[float, int]:
        """How many were within each bound of a histogram; empty as long as there is none."""
        query = f"filter=^{name}$&format=json&histogram_buckets=cumulative"
        for one in self._ask(f"/stats?{query}").json()["stats"]:
            for found in one.get("histograms", []):
                return {each["upper_bound"]: each["cumulative"] for each in found["buckets"]}
        return {}

    def ejected(self, cluster: str) -> set[int]:
        """The ports of the endpoints that a cluster passes over now."""
        statuses = self._ask("/clusters?format=json").json()["cluster_statuses"]
        (found,) = (one for one in statuses if one["name"] == cluster)
        return {
            host["address"]["socket_address"]["port_value"]
            for host in found.get("host_statuses", [])
            if host["health_status"].get("failed_outlier_check")
        }

    def _updates(self) -> int:
        return sum(self.stats(r"\.(config_reload|update_success)$").values())

    def _ask(self, target: str) -> Any:
        assert self.plane.admin is not None
        assert self.plane.admin.socket is not None
        return admin(self.plane.admin.socket, target)


@contextmanager
def running_plane(
    folder: Path,
    manifests: Manifests,
    fleet: Fleet,
    instances: Mapping[str, str] = INSTANCES,
    callers: tuple[str, ...] = (CALLER,),
) -> Generator[RunningPlane]:
    """A data plane until the end of the block."""
    with ExitStack() as held:
        plane = Plane(
            folder=folder,
            manifests=manifests,
            instances=tuple(
                instance(held, name, node, fleet[name].port) for name, node in instances.items()
            ),
            egress={caller: Endpoint(host=LOOPBACK, port=free_port(held)) for caller in callers},
            admin=Admin(socket=folder / "admin.sock"),
        )
        write_plane(plane)
        log = held.enter_context((folder / "envoy.log").open("w+b"))
        process = held.enter_context(
            subprocess.Popen(  # noqa: S603 - our own command
                envoy_command(plane.bootstrap), stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        )
        held.callback(process.kill)

        def is_up() -> bool:
            assert process.poll() is None, (folder / "envoy.log").read_text()
            return has_listeners(plane)

        eventually(is_up)
        yield RunningPlane(plane, fleet)


def quick(plane: RunningPlane) -> Caller:
    """One who calls the service whose times are short."""
    return plane.caller(QUICK)


def instance(held: ExitStack, name: str, node: str, port: int) -> Instance:
    """A process of a node, with an ingress of its own."""
    return Instance(
        name=name,
        node=node,
        application=Endpoint(host=LOOPBACK, port=port),
        ingress=Endpoint(host=LOOPBACK, port=free_port(held)),
    )


def free_port(held: ExitStack) -> int:
    """A port that nobody else is given, and that Envoy may still listen on."""
    one = held.enter_context(socket.socket())
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((LOOPBACK, 0))
    return one.getsockname()[1]


def has_listeners(plane: Plane) -> bool:
    """Whether Envoy listens where it should, and nowhere else."""
    assert plane.admin is not None
    assert plane.admin.socket is not None
    try:
        if admin(plane.admin.socket, "/ready").status_code != 200:
            return False
        found = admin(plane.admin.socket, "/listeners?format=json").json()
    except (OSError, json.JSONDecodeError):
        return False
    wanted = len(plane.instances) + len(plane.egress)
    return len(found.get("listener_statuses", [])) == wanted
