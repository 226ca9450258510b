"""Manifests are read strictly: what isn't known, or stands in the wrong place, is an error."""

from pathlib import Path

import pytest

from mesh.appmesh.common import Key
from mesh.appmesh.reading import BadManifests, read_files, read_texts

from .shop import FILE, shop, shop_text

NODE = "shop.yaml: VirtualNode shop/stock-blue: "
ROUTER = "shop.yaml: VirtualRouter shop/pay-router: "
MISTAKES = {
    "a key in the wrong place": (
        {"  podSelector:\n    matchLabels: {app: front}": "  matchLabels: {app: front}"},
        "shop.yaml: VirtualNode shop/front: spec.matchLabels: is no key",
    ),
    "a key misspelt": (
        {"maxConnections: 100": "maxConnection: 100"},
        "VirtualNode shop/pay-blue: spec.listeners[0].connectionPool.http.maxConnections: is miss",
    ),
    "a key of another kind": (
        {"  listeners:\n    - portMapping: {port: 5432": "  meshRef: {}\n  listeners:\n"
         "    - portMapping: {port: 5432"},
        "VirtualNode shop/database: spec.meshRef: is no key",
    ),
    "a number as text": (
        {"{port: 5432,": "{port: '5432',"},
        "VirtualNode shop/database: spec.listeners[0].portMapping.port: Input should be a valid",
    ),
    "a weight over 100": (
        {"{name: pay-blue}, weight: 100": "{name: pay-blue}, weight: 101"},
        ROUTER + "spec.routes[0].httpRoute.action.weightedTargets[0].weight: Input should be less",
    ),
    "a protocol that isn't used": (
        {"{port: 5432, protocol: tcp}": "{port: 5432, protocol: grpc}"},
        "spec.listeners[0].portMapping.protocol: Input should be 'http' or 'tcp'",
    ),
    "two ways to match a path": (
        {"match: {prefix: /stream, method: GET}": "match: {prefix: /stream, path: {exact: /a}}"},
        "spec.routes[1].httpRoute.match: takes exactly one of prefix, path",
    ),
    "a pool of another protocol": (
        {"http: {maxConnections: 100, maxPendingRequests: 10}": "tcp: {maxConnections: 100}"},
        "VirtualNode shop/pay-blue: spec.listeners[0]: connectionPool isn't for http",
    ),
    "two pools": (
        {"maxPendingRequests: 10}": "maxPendingRequests: 10}\n        tcp: {maxConnections: 1}"},
        "spec.listeners[0].connectionPool: takes exactly one of http, tcp",
    ),
    "a route without a name": (
        {"    - name: stream\n      priority: 10": "    - priority: 10"},
        "VirtualRouter shop/stock-router: spec.routes[1].name: is missing",
    ),
    "a key that stands twice": (
        {"  namespace: shop\nspec:\n  podSelector:\n    matchLabels: {app: front}":
         "  namespace: shop\n  namespace: mall\nspec:\n  podSelector:\n    matchLabels: {app: x}"},
        "the key 'namespace' stands twice",
    ),
    "a kind that isn't used": (
        {"kind: VirtualService\nmetadata:\n  name: pay-service": "kind: VirtualGateway\nmetadata:"
         "\n  name: pay-service"},
        "shop.yaml: VirtualGateway shop/pay-service: kind: VirtualGateway isn't used by Ubertruck",
    ),
    "another version": (
        {"v1beta2\nkind: Mesh": "v1beta1\nkind: Mesh"},
        "shop.yaml: Mesh shop: apiVersion: appmesh.k8s.aws/v1beta1 isn't read",
    ),
    "no YAML": ({"kind: Mesh\n": "kind: [Mesh\n"}, "shop.yaml: isn't YAML: "),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place(name: str) -> None:
    changes, message = MISTAKES[name]
    with pytest.raises(BadManifests) as caught:
        shop(changes)
    assert message in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(BadManifests) as caught:
        shop({"maxServerErrors: 5": "maxServerErrors: 0", "awsName:": "awsname:"})
    assert len(caught.value.faults) == 6
    assert {fault.file for fault in caught.value.faults} == {"shop.yaml"}


def test_objects_find_each_other() -> None:
    read = shop()
    front = read.nodes[Key("shop", "front")]
    assert [service.host for service in read.backends_of(front)] == [
        "stock-service.shop.local",
        "pay-service.shop.local",
        "database-service.shop.local",
    ]
    router = read.router_of(read.service("pay-service"))
    assert router is read.routers[Key("shop", "pay-router")]
    assert read.router_of(read.service("database-service")) is None
    assert read.source_of(front) == "shop.yaml"


def test_an_object_stands_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(FILE.read_text())
    with pytest.raises(BadManifests, match=r"b\.yaml: Mesh shop: stands also in .*a\.yaml"):
        read_files([tmp_path])


def test_folders_are_read_with_all_below_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "shop.yaml").write_text(shop_text())
    (tmp_path / "notes.txt").write_text("not: [yaml")
    assert len(read_files([tmp_path]).nodes) == 5


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadManifests, match="can't be read"):
        read_files([tmp_path / "nothing.yaml"])


def test_other_objects_are_passed_over() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\n# nothing\n---\n"
    read = read_texts({"other.yaml": text})
    assert [*read.meshes, *read.nodes, *read.routers, *read.services] == []
