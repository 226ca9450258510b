"""The files that a data plane's Envoys read, and read again whenever one of them is replaced.

bootstrap.json     of the Envoy that holds every caller's egress and every process's ingress
clusters/          all clusters of that Envoy
listeners/         all listeners of that Envoy
endpoints/         a file a virtual node: where its processes are called
routes/            a file a caller: services, weights, time-outs, retries
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.admin import admin_interface
from mesh.appmesh.common import Key
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.nodes import Listener
from mesh.dataplane import egress
from mesh.dataplane.hops import listener
from mesh.dataplane.ingress import Instance, ingress_cluster, ingress_listener
from mesh.dataplane.stats import stats_config
from mesh.description import Admin, Endpoint
from mesh.files import write_atomically
from mesh.overload import connections_limit
from mesh.proto import Json, socket_address, typed, watched

FOLDERS = ("clusters", "endpoints", "listeners", "routes")
CONNECTIONS = 10_000
_CLUSTER = "config.cluster.v3.Cluster"
_LISTENER = "config.listener.v3.Listener"
_ENDPOINTS = "config.endpoint.v3.ClusterLoadAssignment"
_ROUTES = "config.route.v3.RouteConfiguration"


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A whole data plane. `egress` says where each virtual node that calls others does so.

    Instances named in `waiting` are there and get no new requests: not yet, or no more.
    """

    folder: Path
    manifests: Manifests
    instances: tuple[Instance, ...]
    egress: Mapping[str, Endpoint]
    waiting: frozenset[str] = frozenset()
    admin: Admin | None = None
    problem_base: str = "https://ubertruck.in/problems/"

    @property
    def bootstrap(self) -> Path:
        """What Envoy is started with."""
        return self.folder / "bootstrap.json"

    @property
    def callers(self) -> list[tuple[Key, Endpoint]]:
        """The nodes that call others, and where."""
        return [(self.manifests.node(name).key, at) for name, at in self.egress.items()]

    def endpoints_file(self, node: str) -> Path:
        """Where the processes of a virtual node are written down."""
        return self.folder / "endpoints" / f"{node}.json"

    def routes_file(self, caller: str) -> Path:
        """Where the routes of a caller are written down."""
        return self.folder / "routes" / f"{caller}.json"


def write_plane(plane: Plane) -> None:
    """Write every file that isn't as it should be, before Envoy starts or while it runs.

    What is referred to comes first, so that nothing points into the void meanwhile.
    """
    for name in FOLDERS:
        (plane.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for node in plane.manifests.nodes.values():
        name = node.metadata.name
        here = [one for one in plane.instances if one.node == name]
        assignment = _assignment(name, (one for one in here if one.name not in plane.waiting))
        write_resources(plane.endpoints_file(name), _ENDPOINTS, [assignment])
    write_resources(plane.folder / "clusters" / "all.json", _CLUSTER, _clusters(plane))
    write_routes(plane)
    write_resources(plane.folder / "listeners" / "all.json", _LISTENER, _listeners(plane))
    write_atomically(plane.bootstrap, json.dumps(_bootstrap(plane), indent=1))


def write_routes(plane: Plane) -> int:
    """Write the routes of every caller again: all that a change of weights needs.

    Says how many files changed, each of which Envoy takes up by itself.
    """
    return sum(
        write_route_file(plane.routes_file(caller.name), egress.routes(plane.manifests, caller))
        for caller, _ in plane.callers
    )


def write_route_file(path: Path, routes: Json) -> bool:
    """Put a route configuration into the file that an Envoy watches."""
    return write_resources(path, _ROUTES, [routes])


def write_resources(path: Path, message: str, resources: Iterable[Json]) -> bool:
    """A file of configuration as Envoy's file source reads it; says whether it changed."""
    content = {"resources": [typed(message, **one) for one in resources]}
    return write_atomically(path, json.dumps(content, indent=1))


def _assignment(node: str, instances: Iterable[Instance]) -> Json:
    places = [
        {"endpoint": {"address": socket_address(one.ingress.host, one.ingress.port)}}
        for one in instances
    ]
    return {"cluster_name": node, "endpoints": [{"lb_endpoints": places}]}


def _clusters(plane: Plane) -> list[Json]:
    endpoints = plane.folder / "endpoints"
    return [
        *(
            cluster
            for caller, _ in plane.callers
            for cluster in egress.clusters(plane.manifests, caller, endpoints)
        ),
        *(ingress_cluster(one, _described(plane, one)) for one in plane.instances),
    ]


def _listeners(plane: Plane) -> list[Json]:
    return [
        *(_egress_listener(plane, caller, at) for caller, at in plane.callers),
        *(
            ingress_listener(one, _described(plane, one), plane.problem_base)
            for one in plane.instances
        ),
    ]


def _egress_listener(plane: Plane, caller: Key, at: Endpoint) -> Json:
    source = watched(plane.routes_file(caller.name))
    rds: Json = {"route_config_name": caller.name, "config_source": source}
    return listener(f"egress_{caller.name}", at, plane.problem_base, rds=rds)


def _described(plane: Plane, instance: Instance) -> Listener:
    node = plane.manifests.node(instance.node)
    return egress.http_listener(plane.manifests, node)


def _bootstrap(plane: Plane) -> Json:
    config: Json = {
        # A watched file counts as a management server, and those want to know who asks.
        "node": {"id": "mesh", "cluster": "mesh"},
        **stats_config(),
        "overload_manager": {"resource_monitors": [connections_limit(CONNECTIONS)]},
        "dynamic_resources": {
            "cds_config": watched(plane.folder / "clusters" / "all.json"),
            "lds_config": watched(plane.folder / "listeners" / "all.json"),
        },
    }
    if plane.admin:
        config["admin"] = admin_interface(plane.admin)
    return config
