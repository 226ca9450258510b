"""Who is let into the cluster, and what the driver of rollouts needs there."""

from urllib.parse import urlsplit

import pytest
import yaml

from .stacks import SAID, Resource, plan
from .templates import ENTRIES, FOLDER, Json, Refused, load

ROOT = FOLDER.parent
K8S = ROOT / "k8s"


@pytest.fixture(params=ENTRIES)
def entries(request: pytest.FixtureRequest) -> dict[str, Resource]:
    """The access entries of a cluster by their names in the template."""
    made = plan(request.param, region=ENTRIES[request.param])
    return {one.name: one for one in made.of("AWS::EKS::AccessEntry")}


def test_the_pipeline_and_operators_are_let_in(entries: dict[str, Resource]) -> None:
    assert {one.properties["PrincipalArn"] for one in entries.values()} == {
        SAID["DeployRole"],
        SAID["OperatorRole"],
    }


@pytest.mark.parametrize("role", ["DeployRole", "OperatorRole"])
@pytest.mark.parametrize("name", ENTRIES)
def test_a_cluster_that_lets_nobody_in_isn_t_made(name: str, role: str) -> None:
    assert "Default" not in load(name)["Parameters"][role]
    # What a workflow says when the variable isn't set.
    with pytest.raises(Refused, match=role):
        plan(name, region=ENTRIES[name], **{role: ""})


def prometheus() -> tuple[str, str]:
    """Service and namespace of the address that charts and the driver are told."""
    told = yaml.safe_load((ROOT / "helm" / "values" / "global.yaml").read_text())
    address = str(told["global"]["prometheus"])
    service, namespace, *_ = urlsplit(address).netloc.split(".")
    return service, namespace


def test_the_driver_may_forward_to_prometheus(entries: dict[str, Resource]) -> None:
    documents: list[Json] = [*yaml.safe_load_all((K8S / "deploy-access.yaml").read_text())]
    role, binding = documents
    service, namespace = prometheus()
    assert [one["metadata"]["namespace"] for one in documents] == [namespace, namespace]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    groups = entries["DeployAccess"].properties["KubernetesGroups"]
    assert [one["name"] for one in binding["subjects"]] == groups
    rules = {one["resources"][0]: one for one in role["rules"]}
    # What `kubectl port-forward service/NAME` asks for.
    assert rules["services"]["resourceNames"] == [service]
    assert rules["services"]["verbs"] == ["get"]
    assert {"get", "list"} <= {*rules["pods"]["verbs"]}
    assert {"get", "create"} <= {*rules["pods/portforward"]["verbs"]}
    assert "-f k8s/deploy-access.yaml" in (K8S / "README.md").read_text()
