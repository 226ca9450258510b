"""Envoys like the platform's own, but without its limit over all clients."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from bench.processes import running
from mesh.edge import OwnEgress
from ops import edge, keys_copy, plane, ports
from ops.services import BOOKING, Layout
from ops.state import StateFolder


@asynccontextmanager
async def lifted_edge(
    layout: Layout, name: str, *, booking_port: int | None = None, by_mesh: bool = False
) -> AsyncGenerator[int]:
    """The port of an edge in front of the platform's services, until the body ends.

    All is as in the platform's own edge, the limit for each client included; only the one over all
    clients is lifted, since it would be what is measured. With `booking_port`, booking's requests
    go to whoever listens there. `by_mesh` lets requests pass the mesh as well, as those
    of the platform's own edge do; without, this Envoy is the only one on their way.
    """
    described = _layout(layout, name, booking_port)
    gateway = edge.describe(described, by_mesh=by_mesh).model_copy(update={"rate_limit": None})
    keys_copy.take_last(described, gateway.tokens)
    await keys_copy.refresh(described, gateway.tokens)
    egress = _own_egress(layout, described) if by_mesh else None
    async with running(edge.spec(described, gateway, egress)):
        yield gateway.listen.port


def _own_egress(layout: Layout, described: Layout) -> OwnEgress:
    """By the platform's own mesh, with a file of routes that nobody else writes."""
    platform = plane.egress_of_edge(plane.plane_of(layout, plane.read_manifests()))
    return replace(platform, routes=described.folder.mesh / "gateway.json")


def _layout(layout: Layout, name: str, booking_port: int | None) -> Layout:
    folder = StateFolder(layout.folder.root / name)
    folder.prepare()
    chosen = ports.allot([name], layout.folder.run / "bench-ports.json")
    changes = {edge.NAME: chosen[name]}
    if booking_port is not None:
        changes[BOOKING.api] = booking_port
    return replace(layout, folder=folder, ports={**layout.ports, **changes})
