"""The mesh of the platform: what the rendered manifests say, on an Envoy of this machine.

Requests from the edge pass two Envoys: the edge's, which takes its own egress over, and this one,
which holds the ingress of every api and the egress of every service.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mesh
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.reading import BadManifests, read_files
from mesh.appmesh.rules import require_sound
from mesh.dataplane import egress
from mesh.dataplane.ingress import Instance
from mesh.dataplane.plane import Plane, write_plane
from mesh.dataplane.splits import outgoing
from mesh.dataplane.weights import LARGEST as WHOLE
from mesh.dataplane.weights import with_weights
from mesh.description import UNIX_PATH_BYTES, Admin, Endpoint
from mesh.edge import OwnEgress
from mesh.envoy import envoy_command
from ops.child import Command, launcher
from ops.edge import require_binary
from ops.environment import base_environment
from ops.errors import OpsError
from ops.http_probe import listens
from ops.ports import LOOPBACK
from ops.process import Spec
from ops.rollout.ports import Colour
from ops.services import EDGE_NODE, SERVICES, Layout, Service, egress_port, ingress_port
from ops.stale import mark
from ops.state import StateFolder

NAME = "mesh"
MANIFESTS = Path(mesh.__file__).parents[4] / "k8s" / "rendered" / "dev"
GRACE = 5.0


def read_manifests() -> Manifests:
    """What was rendered for this machine's environment; OpsError with every fault in it."""
    try:
        return require_sound(read_files([MANIFESTS]))
    except BadManifests as error:
        raise OpsError(f"The mesh's manifests can't be used:\n{error}") from error


def plane_of(layout: Layout, manifests: Manifests) -> Plane:
    """The data plane between the platform's processes, all of them of the active colours."""
    for service in SERVICES:
        active = layout.active(service).colour
        weights = {service.node_of(colour): WHOLE * (colour is active) for colour in Colour}
        manifests = with_weights(manifests, service.virtual, weights)
    plane = Plane(
        folder=layout.folder.mesh,
        manifests=manifests,
        instances=(),
        egress={EDGE_NODE: _at(layout.ports[egress_port(EDGE_NODE)])},
        admin=_admin(layout.folder),
    )
    for service in SERVICES:
        plane = with_slot(plane, layout, service, layout.active(service).colour, [1])
    return plane


def with_slot(
    plane: Plane, layout: Layout, service: Service, colour: Colour, numbers: Sequence[int]
) -> Plane:
    """The plane in which a slot has the apis of these numbers, and may call others."""
    node = service.node_of(colour)
    instances = (
        Instance(
            name=api,
            node=node,
            application=_at(layout.ports[api]),
            ingress=_at(layout.ports[ingress_port(api)]),
        )
        for api in (service.api_of(colour, number) for number in numbers)
    )
    others = (one for one in plane.instances if one.node != node)
    egress = {**plane.egress, node: _at(layout.ports[egress_port(node)])}
    return replace(plane, instances=(*others, *instances), egress=egress)


def egress_of_edge(plane: Plane) -> OwnEgress:
    """What the edge takes over of the mesh."""
    caller = plane.manifests.node(EDGE_NODE).key
    by_name = {service.virtual: service.name for service in SERVICES}
    return OwnEgress(
        services={
            by_name[one.service]: one
            for one in outgoing(plane.manifests, caller)
            if one.service in by_name
        },
        clusters=tuple(egress.clusters(plane.manifests, caller, plane.folder / "endpoints")),
        routes=plane.folder / "routes" / "gateway.json",
    )


def spec(layout: Layout, plane: Plane) -> Spec:
    """The mesh as a process; its files are written now."""
    write_plane(plane)
    log = layout.folder.log_of(NAME)
    command = Command(
        argv=envoy_command(plane.bootstrap, binary=require_binary()),
        env=base_environment() | mark(layout.folder),
        log=log,
    )
    ports = [
        *(one.ingress.port for one in plane.instances),
        *(at.port for at in plane.egress.values()),
    ]
    return Spec(name=NAME, launch=launcher(command), log=log, ready=listens(ports), grace=GRACE)


def admin_socket(folder: StateFolder) -> Path:
    """Where the mesh's Envoy tells how it is, if the path isn't too long for that."""
    return folder.run / "mesh.sock"


def _admin(folder: StateFolder) -> Admin | None:
    socket = admin_socket(folder)
    return Admin(socket=socket) if len(bytes(socket)) <= UNIX_PATH_BYTES else None


def _at(port: int) -> Endpoint:
    return Endpoint(host=LOOPBACK, port=port)
