"""What the rendered manifests make of the platform's processes."""

from pathlib import Path

import pytest

from mesh.appmesh.manifests import Manifests
from mesh.dataplane.plane import write_plane
from mesh.dataplane.splits import outgoing
from mesh.description import Edge
from mesh.edge import edge_config, write_edge_routes
from mesh.envoy import validate_config
from ops import edge, keys_copy, plane
from ops.errors import OpsError
from ops.services import EDGE_NODE, SERVICES, Layout, port_names

from .scripts import folder_in


@pytest.fixture(scope="module")
def manifests() -> Manifests:
    return plane.read_manifests()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout over ports that nobody uses."""
    names = ["postgres", edge.NAME, *port_names()]
    return Layout.of(folder_in(tmp_path), {name: 20_000 + n for n, name in enumerate(names)})


@pytest.fixture
def described(layout: Layout) -> Edge:
    found = edge.describe(layout)
    keys_copy.take_last(layout, found.tokens)
    return found


def test_envoy_takes_the_edge_with_its_own_egress(
    layout: Layout, described: Edge, manifests: Manifests
) -> None:
    found = plane.plane_of(layout, manifests)
    write_plane(found)
    own = plane.egress_of_edge(found)
    write_edge_routes(described, own)
    assert own.services.keys() == {service.name for service in SERVICES}
    validate_config(edge_config(described, own))


def test_services_are_dialled_by_the_names_in_the_manifests(
    described: Edge, manifests: Manifests
) -> None:
    dialled = {
        f"{one.host}:{one.port}" for one in outgoing(manifests, manifests.node(EDGE_NODE).key)
    }
    assert {upstream.authority for upstream in described.upstreams} <= dialled
    assert described.tokens.authority in dialled


def test_outsiders_cannot_name_a_colour(described: Edge, manifests: Manifests) -> None:
    pinned = {
        header.name
        for router in manifests.routers.values()
        for route in router.spec.routes
        if route.http_route and len(route.targets) == 1
        for header in route.http_route.match.headers
    }
    assert pinned == set(described.strip_headers)


def test_every_process_has_an_ingress_and_every_colour_an_egress(
    layout: Layout, manifests: Manifests
) -> None:
    found = plane.plane_of(layout, manifests)
    assert {one.name for one in found.instances} == {service.api for service in SERVICES}
    assert {one.node for one in found.instances} | {EDGE_NODE} == found.egress.keys()


def test_manifests_that_cannot_be_used_end_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mush\n")
    monkeypatch.setattr(plane, "MANIFESTS", tmp_path)
    with pytest.raises(OpsError, match="Mush isn't used by Ubertruck"):
        plane.read_manifests()


def test_a_deep_folder_does_without_the_admin_socket(tmp_path: Path, manifests: Manifests) -> None:
    names = ["postgres", edge.NAME, *port_names()]
    ports = {name: 20_000 + n for n, name in enumerate(names)}
    deep = Layout.of(folder_in(tmp_path / ("deep" * 30)), ports)
    assert plane.plane_of(deep, manifests).admin is None
