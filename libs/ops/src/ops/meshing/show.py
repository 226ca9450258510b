"""`ubertruck mesh show`: the running mesh, once or until Ctrl-C."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
from pydantic import TypeAdapter
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mesh.appmesh.manifests import Manifests
from ops import control
from ops.edge import admin_socket as edge_socket
from ops.errors import OpsError
from ops.meshing.figures import Instance, Told, figures
from ops.meshing.picture import Picture, drawn
from ops.plane import admin_socket as mesh_socket
from ops.plane import read_manifests
from ops.state import StateFolder

PAUSE = 1.0
TIMEOUT = 5.0
STATS = r"^cluster\.ingress_.*\.upstream_rq_(total|5xx|active|pending_active|pending_overflow)$"
INSTANCES = TypeAdapter(tuple[Instance, ...])


def show(folder: StateFolder, console: Console, *, once: bool) -> None:
    """Draw the mesh of the running platform; OpsError when none runs."""
    manifests = read_manifests()
    before, taken = look(folder, manifests), time.monotonic()
    with suppress(KeyboardInterrupt), _canvas(console, once=once) as draw:
        while True:
            time.sleep(PAUSE)
            now, at = look(folder, manifests), time.monotonic()
            draw(drawn(now, before, at - taken))
            if once:
                return
            before, taken = now, at


@contextmanager
def _canvas(console: Console, *, once: bool) -> Generator[Callable[[Table], None]]:
    if once:
        yield console.print
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda table: live.update(table, refresh=True)


def look(folder: StateFolder, manifests: Manifests) -> Picture:
    """How the mesh is now."""
    weights = cast("dict[str, dict[str, int]]", control.call(folder, "weights"))
    instances = INSTANCES.validate_python(control.call(folder, "instances"))
    told = [_ask(mesh_socket(folder)), _ask(edge_socket(folder))]
    return figures(manifests, weights, instances, told)


def _ask(socket: Path) -> Told:
    transport = httpx.HTTPTransport(uds=str(socket))
    try:
        with httpx.Client(transport=transport, base_url="http://envoy", timeout=TIMEOUT) as client:
            stats = client.get("/stats", params={"filter": STATS, "format": "json"}).json()
            clusters = client.get("/clusters", params={"format": "json"}).json()
    except httpx.TransportError as error:
        raise OpsError(f"An Envoy doesn't tell how it is at {socket} ({error}).") from error
    found = cast("list[dict[str, Any]]", stats["stats"])
    return Told(
        stats={one["name"]: int(one["value"]) for one in found if "value" in one},
        clusters=clusters.get("cluster_statuses", []),
    )
