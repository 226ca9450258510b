"""The Envoys of docker-compose.yml do what those of `ubertruck up` do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh.dataplane.plane import write_plane
from mesh.edge import edge_config
from mesh.envoy import validate_config
from ops import edge, plane
from ops.compose import gateway, layout
from ops.services import SERVICES, Layout, port_names

from ..scripts import folder_in

MANIFESTS = plane.read_manifests()


@pytest.fixture
def laptop(tmp_path: Path) -> Layout:
    """A layout over ports that nobody uses."""
    names = ["postgres", edge.NAME, *port_names()]
    return Layout.of(folder_in(tmp_path), {name: 20_000 + n for n, name in enumerate(names)})


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def manager(config: dict[str, Any]) -> dict[str, Any]:
    [listener, *_] = config["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def without_files(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**route, "direct_response": "a file"}
        if "filename" in route.get("direct_response", {}).get("body", {})
        else route
        for route in routes
    ]


def test_the_edge_lets_through_what_the_laptops_lets_through(
    laptop: Layout, tmp_path: Path
) -> None:
    composed = read(gateway.write_edge(tmp_path))
    ours, theirs = manager(composed), manager(edge_config(edge.describe(laptop)))
    hosts = [one["route_config"]["virtual_hosts"] for one in (ours, theirs)]
    assert without_files(hosts[0][0]["routes"]) == without_files(hosts[1][0]["routes"])
    names = [[one["name"] for one in manager["http_filters"]] for manager in (ours, theirs)]
    assert names[0] == names[1]
    validate_config(composed)


def test_its_documents_are_beside_it(tmp_path: Path) -> None:
    routes = manager(read(gateway.write_edge(tmp_path)))["route_config"]["virtual_hosts"][0]
    files = [
        Path(route["direct_response"]["body"]["filename"])
        for route in routes["routes"]
        if "filename" in route.get("direct_response", {}).get("body", {})
    ]
    assert len(files) > 3
    assert {file.parent for file in files} == {tmp_path / "documents"}
    assert all(file.stat().st_size for file in files)


def test_the_mesh_has_the_routes_pools_and_ejections_of_the_laptops(
    laptop: Layout, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    validate_config(read(gateway.write_mesh(here, MANIFESTS)))
    described = plane.plane_of(laptop, MANIFESTS)
    write_plane(replace(described, folder=there))
    routes = [sorted((folder / "routes").iterdir()) for folder in (here, there)]
    assert [file.name for file in routes[0]] == [file.name for file in routes[1]]
    assert [read(file) for file in routes[0]] == [read(file) for file in routes[1]]
    clusters = [
        [without_places(one) for one in read(folder / "clusters" / "all.json")["resources"]]
        for folder in (here, there)
    ]
    assert clusters[0] == clusters[1]


def without_places(cluster: dict[str, Any]) -> dict[str, Any]:
    places = {"load_assignment", "eds_cluster_config", "type", "cluster_type"}
    return {name: value for name, value in cluster.items() if name not in places}


def test_nobody_shares_a_port() -> None:
    ports = [layout.egress(node).port for node in layout.CALLERS]
    ports += [layout.ingress(service).port for service in SERVICES]
    assert len(set(ports)) == len(ports)
