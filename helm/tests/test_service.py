"""What the chart of a service does with its slots, its migration and its outside."""

from typing import Any

import pytest
import yaml

from ops.releases import HELM
from ops.rollout.analysis import LIMITS, QUANTILES
from ops.rollout.plan import Policy

from .manifests import Manifest, of_kind, rendered

SPECIAL = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}


def case(name: str) -> list[Manifest]:
    return rendered()[f"service/ci/{name}"]


def test_an_idle_slot_is_off_and_a_new_one_has_a_worker_that_waits_for_the_lease() -> None:
    assert set(of_kind(case("istio"), "Deployment")) == {
        "booking-service-blue",
        "booking-service-blue-worker",
    }
    deployments = of_kind(case("green"), "Deployment")
    assert deployments["booking-service-blue-worker"]["spec"]["replicas"] == 1
    assert deployments["booking-service-green-worker"]["spec"]["replicas"] == 1
    scalers = of_kind(case("green"), "HorizontalPodAutoscaler")
    assert scalers["booking-service-green"]["spec"]["minReplicas"] == 4


def test_the_anchor_of_the_audit_outlives_pods_and_slots() -> None:
    def state(name: str) -> dict[str, Any]:
        spec = of_kind(case("green"), "Deployment")[name]["spec"]["template"]["spec"]
        return next(volume for volume in spec["volumes"] if volume["name"] == "state")

    claim = {"claimName": "booking-service-state"}
    for colour in ("blue", "green"):
        assert state(f"booking-service-{colour}-worker")["persistentVolumeClaim"] == claim
        assert "emptyDir" in state(f"booking-service-{colour}")
    kept = of_kind(case("green"), "PersistentVolumeClaim")["booking-service-state"]
    assert kept["spec"]["accessModes"] == ["ReadWriteMany"]
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_newest_version_migrates_and_the_job_is_named_after_its_revision() -> None:
    ((name, job),) = of_kind(case("green"), "Job").items()
    assert name.startswith("booking-service-migrate-0008-")
    pod = job["spec"]["template"]
    assert ":2222" in pod["spec"]["containers"][0]["image"]
    assert pod["metadata"]["annotations"]["appmesh.k8s.aws/sidecarInjectorWebhook"] == "disabled"
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert "annotations" not in job["metadata"]


def test_spans_go_where_the_values_say_or_nowhere() -> None:
    def told(name: str) -> str | None:
        settings = of_kind(case(name), "ConfigMap")["booking-service"]["data"]
        return settings.get("UBERTRUCK_OTLP_ENDPOINT")

    assert told("green") == "http://collector.monitoring:4318"
    assert told("istio") is None


def test_without_a_mesh_the_active_slot_gets_the_requests() -> None:
    def selector(name: str) -> dict[str, str]:
        return of_kind(case(name), "Service")["booking-service"]["spec"]["selector"]

    assert selector("none")["ubertruck.in/colour"] == "blue"
    assert "ubertruck.in/colour" not in selector("green")


@pytest.mark.parametrize(
    ("name", "service", "outside"),
    [
        ("postgres-bus", "booking-service", []),
        ("green", "booking-service", ["10.16.30.0/24"]),
        ("payment", "payment-service", ["10.16.30.0/24", "0.0.0.0/0"]),
    ],
)
def test_what_leaves_the_cluster_is_named(name: str, service: str, outside: list[str]) -> None:
    spec = of_kind(case(name), "NetworkPolicy")[service]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    blocks: list[dict[str, Any]] = [
        to["ipBlock"]
        for rule in spec["egress"]
        if rule["ports"] == [{"port": 443}]
        for to in rule["to"]
    ]
    assert [block["cidr"] for block in blocks] == outside
    world = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
    assert all(set(block["except"]) > SPECIAL for block in world)


def test_only_a_postgres_bus_needs_a_password() -> None:
    def keys(name: str) -> set[str]:
        secret = of_kind(case(name), "ExternalSecret")["booking-service-runtime"]
        return set(secret["spec"]["target"]["template"]["data"])

    assert keys("postgres-bus") == {"ubertruck_database_url", "ubertruck_bus_url"}
    assert keys("green") == {"ubertruck_database_url", "client-secret"}


def test_argo_moves_every_route_that_it_is_given() -> None:
    rollout = of_kind(case("argo"), "Rollout")["tracking-service"]["spec"]["strategy"]["canary"]
    (named,) = rollout["trafficRouting"]["istio"]["virtualServices"]
    routes = of_kind(rendered()["routing/ci/argo"], "VirtualService")["tracking-service"]
    assert named["routes"] == [route["name"] for route in routes["spec"]["http"]]
    weights = [step["setWeight"] for step in rollout["steps"] if "setWeight" in step]
    assert weights == [1, 10, 25, 50, 100]
    services = of_kind(case("argo"), "Service")
    assert {rollout["canaryService"], rollout["stableService"]} <= set(services)
    assert "tracking-service-blue" not in of_kind(case("argo"), "Deployment")


def test_a_rollout_is_judged_by_what_the_processes_say() -> None:
    template = of_kind(case("argo"), "AnalysisTemplate")["tracking-service"]["spec"]
    assert [metric["name"] for metric in template["metrics"]] == [
        "enough-requests",
        "error-rate",
        "latency-p90",
        "latency-p99",
    ]
    for metric in template["metrics"]:
        # No answer, or no number, is a failure.
        assert metric["successCondition"].startswith("len(result) > 0 && ")
        assert (metric["failureLimit"], metric["consecutiveErrorLimit"]) == (0, 0)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("steps", [*Policy().steps]),
        ("keepSeconds", Policy().keep_old_seconds),
        ("minimumRequests", LIMITS.minimum_requests),
        ("maximumErrorRate", LIMITS.maximum_error_rate),
        ("maximumLatencyRatio", LIMITS.maximum_latency_ratio),
        ("minimumLatencyMs", LIMITS.minimum_latency_ms),
    ],
)
def test_argo_judges_by_the_numbers_of_the_driver(value: str, number: object) -> None:
    values = yaml.safe_load((HELM / "service" / "values.yaml").read_text())
    assert values["rollout"][value] == number


def test_what_argo_asks_holds_the_numbers() -> None:
    template = of_kind(case("argo"), "AnalysisTemplate")["tracking-service"]["spec"]
    metrics = {metric["name"]: metric for metric in template["metrics"]}
    queries = {name: metric["provider"]["prometheus"]["query"] for name, metric in metrics.items()}
    for quantile in QUANTILES:
        query = queries[f"latency-p{quantile * 100:.0f}"]
        assert f"histogram_quantile({quantile:g}," in query
        assert f"({LIMITS.maximum_latency_ratio:g} - 1)" in query
        assert f"{LIMITS.minimum_latency_ms:g} / 1000" in query
    asked = metrics["error-rate"]["successCondition"]
    assert asked.endswith(f"result[0] < {LIMITS.maximum_error_rate:g}")
    enough = metrics["enough-requests"]["successCondition"]
    assert enough.endswith(f"result[0] >= {LIMITS.minimum_requests}")
