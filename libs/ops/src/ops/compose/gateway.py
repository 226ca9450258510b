"""The Envoys of a composed platform: the edge and the mesh of `ubertruck up`, at other places."""

import shutil
from pathlib import Path

from mesh.appmesh.manifests import Manifests
from mesh.dataplane.ingress import Instance
from mesh.dataplane.plane import Plane, write_plane
from mesh.description import Admin, Edge, Endpoint, Listen, Upstream
from mesh.edge import edge_config
from mesh.envoy import write_config
from ops.compose import layout
from ops.edge import gateway
from ops.services import EDGE_NODE, SERVICES


def write_edge(folder: Path) -> Path:
    """Write what the edge's Envoy reads into the folder where it finds it; its configuration."""
    config = folder / "envoy.json"
    write_config(edge_config(_with_documents(_edge(), folder / "documents")), config)
    return config


def write_mesh(folder: Path, manifests: Manifests) -> Path:
    """The same for the Envoy of the mesh."""
    plane = Plane(
        folder=folder,
        manifests=manifests,
        instances=tuple(
            Instance(
                name=service.api,
                node=service.node,
                application=layout.api(service),
                ingress=layout.ingress(service),
            )
            for service in SERVICES
        ),
        egress={
            node: Endpoint(host=layout.EVERYWHERE, port=layout.egress(node).port)
            for node in layout.CALLERS
        },
    )
    write_plane(plane)
    return plane.bootstrap


def _edge() -> Edge:
    return gateway(
        listen=Listen(host=layout.EVERYWHERE, port=layout.PORT),
        admin=Admin(socket=layout.ADMIN),
        probes=Listen(host=layout.EVERYWHERE, port=layout.PROBES),
        upstreams=tuple(
            Upstream(
                name=service.name,
                endpoints=(layout.egress(EDGE_NODE),),
                authority=service.authority,
            )
            for service in SERVICES
        ),
    )


def _with_documents(edge: Edge, folder: Path) -> Edge:
    """The same with copies of its files: Envoy's container hasn't got our packages."""
    folder.mkdir(exist_ok=True)
    documents = [
        document.model_copy(update={"file": Path(shutil.copy(document.file, folder))})
        if document.file
        else document
        for document in edge.documents
    ]
    return edge.model_copy(update={"documents": tuple(documents)})
