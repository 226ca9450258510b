"""The mesh of the platform: what the rendered manifests say, on an Envoy of this machine.

Requests from the edge pass two Envoys: the edge's, which takes its own egress over, and this one,
which holds the ingress of every api and the egress of every service.
"""

from pathlib import Path

import mesh
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.reading import BadManifests, read_files
from mesh.appmesh.rules import require_sound
from mesh.dataplane import egress
from mesh.dataplane.ingress import Instance
from mesh.dataplane.plane import Plane, write_plane
from mesh.dataplane.splits import outgoing
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
from ops.services import EDGE_NODE, SERVICES, Layout, egress_port, ingress_port
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
    """The data plane between the platform's processes, all of them of the active colour."""
    callers = [EDGE_NODE, *(service.node for service in SERVICES)]
    return Plane(
        folder=layout.folder.mesh,
        manifests=manifests,
        instances=tuple(
            Instance(
                name=service.api,
                node=service.node,
                application=_at(layout.ports[service.api]),
                ingress=_at(layout.ports[ingress_port(service.api)]),
            )
            for service in SERVICES
        ),
        egress={caller: _at(layout.ports[egress_port(caller)]) for caller in callers},
        admin=_admin(layout.folder),
    )


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
