"""What is applied as it is agrees with what the charts stand on."""

import re
from typing import Any

from charts.render import ROOT
from ops.releases import SERVICES, VALUES
from ops.rollout.metrics.prometheus import APPS, ISTIO, SCRAPE_SECONDS

from .manifests import of_kind, of_provider, parsed, rendered

K8S = ROOT / "k8s"


def namespace(name: str) -> dict[str, str]:
    found = of_kind(parsed((K8S / name).read_text()), "Namespace")
    return found["ubertruck"]["metadata"]["labels"]


def test_the_namespace_is_the_meshs_and_gets_sidecars() -> None:
    labels = namespace("namespaces.yaml")
    mesh = of_kind(of_provider("appmesh"), "Mesh")["ubertruck"]["spec"]
    assert mesh["namespaceSelector"]["matchLabels"].items() <= labels.items()
    assert labels["appmesh.k8s.aws/sidecarInjectorWebhook"] == "enabled"
    assert namespace("namespaces-istio.yaml")["istio-injection"] == "enabled"


def test_names_of_virtual_services_resolve_to_services() -> None:
    """CoreDNS's rewrite, done here with the same pattern."""
    (coredns,) = parsed((K8S / "coredns.yaml").read_text())
    pattern, target = re.findall(r"name regex (\S+) (\S+)", coredns["data"]["Corefile"])[0]
    for case in ("dev/platform", "dev/routing"):
        for name, service in of_kind(rendered()[case], "VirtualService").items():
            dialled = service["spec"]["awsName"]
            if name != "database-service":
                found = re.fullmatch(str(pattern), dialled)
                assert found
                assert target.replace("{1}", found[1]) == f"{name}.ubertruck.svc.cluster.local"


def test_what_pods_name_is_made_by_somebody() -> None:
    stores = of_kind(parsed((K8S / "stores.yaml").read_text()), "ClusterSecretStore")
    issuers = of_kind(parsed((K8S / "mesh-authority.yaml").read_text()), "ClusterIssuer")
    made = rendered()["production/booking-service"]
    classes = of_kind(parsed((K8S / "storage.yaml").read_text()), "StorageClass")
    claims = of_kind(made, "PersistentVolumeClaim").values()
    assert [claim["spec"]["storageClassName"] for claim in claims] == list(classes)
    wanted = [
        one["spec"]["secretStoreRef"]["name"] for one in of_kind(made, "ExternalSecret").values()
    ]
    assert set(wanted) == set(stores)
    certificates = of_kind(of_provider("appmesh"), "Certificate").values()
    named = {one["spec"]["issuerRef"]["name"] for one in certificates}
    assert named
    assert named <= set(issuers)


def releases() -> dict[str, dict[str, Any]]:
    """What helmfile installs, by name."""
    text = re.sub(r"\{\{.*?\}\}", "x", (K8S / "helmfile.yaml").read_text())
    (helmfile,) = parsed(text)
    return {release["name"]: release for release in helmfile["releases"]}


def test_prometheus_is_where_charts_and_rollouts_look_for_it() -> None:
    """kube-prometheus-stack calls its Service after itself, not after the release."""
    release = releases()["prometheus"]
    (values,) = release["values"]
    (shared,) = parsed((VALUES / "global.yaml").read_text())
    host = f"{values['fullnameOverride']}-prometheus.{release['namespace']}.svc.cluster.local"
    assert shared["global"]["prometheus"] == f"http://{host}:9090"
    assert shared["global"]["monitoringNamespace"] == release["namespace"]


def test_versions_are_pinned_and_the_sidecar_outlives_its_process() -> None:
    pinned = [release["version"] for release in releases().values()]
    assert all(re.fullmatch(r"v?\d+\.\d+\.\d+", version) for version in pinned)
    (values,) = releases()["appmesh-controller"]["values"]
    delay = values["sidecar"]["lifecycleHooks"]["preStopDelay"]
    for deployment in of_kind(of_provider("appmesh"), "Deployment").values():
        spec = deployment["spec"]["template"]["spec"]
        sleep = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        assert delay > sleep.get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= 45


def test_environments_with_an_infrastructure_have_a_mesh_that_is_still_there() -> None:
    """There is no way to App Mesh's Envoy management (infrastructure/endpoints.yaml) any more."""
    assert not of_kind(rendered()["staging/platform"], "Mesh")
    assert not of_kind(rendered()["production/platform"], "Mesh")
    for case in ("staging/routing", "production/routing"):
        assert set(of_kind(rendered()[case], "VirtualService")) == set(SERVICES)
        assert not of_kind(rendered()[case], "VirtualRouter")


def test_what_sidecars_count_is_read_and_tells_attempts_apart() -> None:
    """As `ops.rollout.metrics.prometheus` asks for it."""
    platform = rendered()["platform/ci/istio"]
    (metrics,) = of_kind(platform, "Telemetry")["attempts"]["spec"]["metrics"]
    assert {one["match"]["metric"] for one in metrics["overrides"]} == {
        "REQUEST_COUNT",
        "REQUEST_DURATION",
    }
    for override in metrics["overrides"]:
        (tag,) = override["tagOverrides"]
        assert f'{tag}=~"1|unknown|"' in ISTIO.labels
    monitor = of_kind(platform, "PodMonitor")["sidecars"]["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    services = of_kind(rendered()["service/ci/istio"], "ServiceMonitor")["booking-service"]["spec"]
    for interval in (endpoint["interval"], services["endpoints"][0]["interval"]):
        assert interval == f"{SCRAPE_SECONDS:g}s"
    policy = of_kind(platform, "NetworkPolicy")["sidecars"]["spec"]
    assert policy["ingress"][0]["ports"] == [{"port": 15090}]
    pods = of_kind(rendered()["service/ci/istio"], "Deployment")["booking-service-blue"]["spec"]
    labels = pods["template"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


def test_what_processes_say_is_labelled_as_it_is_asked_for() -> None:
    monitor = of_kind(rendered()["service/ci/istio"], "ServiceMonitor")["booking-service"]["spec"]
    for label in monitor["podTargetLabels"]:
        named = re.sub(r"[^a-z]", "_", label)
        assert (f"{named}=" in APPS.labels) == (named != "rollouts_pod_template_hash")
