import json
from pathlib import Path

import httpx
import pytest

from bench.edges import lifted_edge
from bench.processes import running, service_spec
from chassis.testing.databases import TestDatabase
from mesh.dataplane.plane import write_plane
from ops import edge, plane
from ops.ports import allot
from ops.process import StartError
from ops.services import BOOKING, Layout, port_names
from ops.state import StateFolder


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A platform of which nothing runs."""
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    names = ["postgres", edge.NAME, *port_names()]
    return Layout.of(folder, allot(names, folder.ports_file))


async def test_the_edge_is_the_platforms_but_for_the_limit_over_all(layout: Layout) -> None:
    async with lifted_edge(layout, "edge-lifted") as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/edge/healthz")).status_code == 200
            assert (await client.post("/v1/booking", json={})).status_code == 401
            # The route needs no token, and nobody is behind it.
            assert (await client.post("/auth/login", json={})).status_code == 503
        config = (layout.folder.root / "edge-lifted" / "edge" / "envoy.json").read_text()
    assert "limit_all" not in config
    assert "limit_client" in config
    assert json.loads(config)["static_resources"]


async def test_the_mesh_may_be_behind_it(layout: Layout) -> None:
    write_plane(plane.plane_of(layout, plane.read_manifests()))
    async with lifted_edge(layout, "edge-mesh", by_mesh=True) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.post("/v1/booking", json={})).status_code == 401
            assert (await client.post("/auth/login", json={})).status_code == 503
        config = (layout.folder.root / "edge-mesh" / "edge" / "envoy.json").read_text()
    assert "egress_edge_booking-service-blue" in config


async def test_booking_may_be_somebody_else(layout: Layout) -> None:
    async with lifted_edge(layout, "edge-subject", booking_port=20_001):
        config = (layout.folder.root / "edge-subject" / "edge" / "envoy.json").read_text()
    assert '"port_value": 20001' in config
    assert f'"port_value": {layout.ports[BOOKING.api]}' not in config


async def test_a_process_of_bookings_on_another_database(
    layout: Layout, database: TestDatabase
) -> None:
    spec = service_spec(layout, "bench-echo", "bench.subjects.echo", database_url=database.url)
    async with running(spec) as process:
        assert process.pid is not None
        async with httpx.AsyncClient() as client:
            answered = await client.post(f"http://127.0.0.1:{spec.port}/v1/booking", json={})
            assert answered.status_code == 422
    assert process.pid is None


async def test_a_process_that_does_not_come_up_says_why(layout: Layout) -> None:
    spec = service_spec(layout, "bench-nothing", "bench.nothing")
    with pytest.raises(StartError, match="No module named bench"):
        async with running(spec):
            pass
