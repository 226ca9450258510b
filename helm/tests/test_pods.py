"""What must hold for every pod of every values file."""

import re
from collections.abc import Iterator
from typing import Any

from chassis.db import POOL_SIZE
from ops.releases import ENVIRONMENTS, VALUES, releases

from .manifests import Manifest, everywhere, of_kind, parsed, pods, rendered

# A commit, a release, or the bytes themselves: a tag that means something else tomorrow is none.
FIXED = re.compile(r":([0-9a-f]{40}|v\d+\.\d+\.\d+)(@sha256:[0-9a-f]{64})?$")
SECRET = re.compile(r"password|secret|private|postgresql", re.IGNORECASE)
# What administrators and the migrations of one service at a time take.
SPARE_CONNECTIONS = 20


def containers(pod: Manifest) -> Iterator[dict[str, Any]]:
    yield from pod["spec"]["containers"]
    yield from pod["spec"].get("initContainers", [])


def test_no_process_has_more_rights_than_it_needs() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, pod in pods(manifests):
            spec, security = pod["spec"], pod["spec"]["securityContext"]
            fine = (
                security["runAsNonRoot"] is True
                and security["runAsUser"] > 0
                and security["seccompProfile"] == {"type": "RuntimeDefault"}
                and spec["automountServiceAccountToken"] is False
                and not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
                and not [volume for volume in spec["volumes"] if "hostPath" in volume]
            )
            if not fine:
                yield f"{name}: {security}"
            for container in containers(pod):
                expected: dict[str, Any] = {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                if container["securityContext"] != expected:
                    yield f"{name}/{container['name']}: {container['securityContext']}"

    assert everywhere(wrong) == []


def test_images_cannot_change_under_their_name() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, pod in pods(manifests):
            images = [container["image"] for container in containers(pod)]
            yield from (f"{name}: {image}" for image in images if not FIXED.search(image))

    assert everywhere(wrong) == []


def test_every_container_has_bounds() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, pod in pods(manifests):
            for container in containers(pod):
                resources = container["resources"]
                if not all({"cpu", "memory"} <= set(resources[kind]) for kind in resources):
                    yield f"{name}: {resources}"
                if set(resources) != {"requests", "limits"}:
                    yield f"{name}: {resources}"

    assert everywhere(wrong) == []


def test_what_lives_on_is_probed_outside_of_the_mesh() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, pod in pods(manifests):
            if name.startswith(("Job/", "Pod/")):
                continue
            (container,) = pod["spec"]["containers"]
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container[kind]
                asked = probe.get("httpGet", probe.get("tcpSocket"))["port"]
                if ports[asked] != 9090:
                    yield f"{name}: {kind} asks {asked}"
            taken = pod["metadata"]["annotations"].get("appmesh.k8s.aws/ports", "8080")
            if taken != "8080":
                yield f"{name}: the mesh takes {taken}"

    assert everywhere(wrong) == []


def test_a_pod_that_goes_is_given_the_time_that_it_takes() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, pod in pods(manifests):
            for container in containers(pod):
                wait = container.get("lifecycle", {}).get("preStop", {}).get("sleep")
                answers = any(port["name"] == "http" for port in container.get("ports", []))
                if answers and not wait:
                    yield f"{name}: goes without a word"
                if wait and pod["spec"]["terminationGracePeriodSeconds"] <= wait["seconds"]:
                    yield f"{name}: is killed while it waits"

    assert everywhere(wrong) == []


def test_secrets_are_files_and_never_settings() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, one in of_kind(manifests, "ConfigMap").items():
            for key, value in one["data"].items():
                # Where a secret is may be said.
                named = key.endswith(("_DIR", "_FILE")) and value.startswith("/run/secrets/")
                if not named and SECRET.search(f"{key}: {value}"):
                    yield f"{name}: {key}"
        for name, pod in pods(manifests):
            for container in containers(pod):
                given = [*container.get("env", []), *container.get("envFrom", [])]
                yield from (f"{name}: {one}" for one in given if "secret" in str(one).lower())
        yield from (f"Secret {name}" for name in of_kind(manifests, "Secret"))

    assert everywhere(wrong) == []


def test_what_runs_never_sees_the_migrators_password() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, pod in pods(manifests):
            mounted = [
                one["secret"]["secretName"] for one in pod["spec"]["volumes"] if "secret" in one
            ]
            migrates = name.startswith("Job/")
            yield from (
                f"{name}: {secret}"
                for secret in mounted
                if secret.endswith("-migrator") is not migrates
            )

    assert everywhere(wrong) == []


def test_nothing_is_scaled_twice() -> None:
    def wrong(manifests: list[Manifest]) -> Iterator[str]:
        for name, scaler in of_kind(manifests, "HorizontalPodAutoscaler").items():
            target = scaler["spec"]["scaleTargetRef"]
            workload = of_kind(manifests, target["kind"])[target["name"]]
            if "replicas" in workload["spec"]:
                yield name

    assert everywhere(wrong) == []


def test_connections_stay_within_what_the_database_lets_in() -> None:
    for environment in ENVIRONMENTS:
        cases = [f"{environment}/{release.name}" for release in releases(environment)]
        # In a rollout both slots run, each as large as it may get.
        most = sum(2 * connections(rendered()[case]) for case in cases)
        assert most + SPARE_CONNECTIONS <= server_limit(environment), environment


def connections(manifests: list[Manifest]) -> int:
    """What the processes of one slot may hold, at their largest and with what a restart adds."""
    scalers = of_kind(manifests, "HorizontalPodAutoscaler")
    total = 0
    for name, one in of_kind(manifests, "Deployment").items():
        service = one["metadata"]["labels"]["app.kubernetes.io/name"]
        settings = of_kind(manifests, "ConfigMap")[service]["data"]
        pool = int(settings.get("UBERTRUCK_DATABASE_POOL_SIZE", 0))
        if name.endswith("-worker") and settings.get("UBERTRUCK_BUS") == "postgres":
            pool += POOL_SIZE
        most = scalers[name]["spec"]["maxReplicas"] if name in scalers else one["spec"]["replicas"]
        surge = one["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        more = -(-most * int(str(surge).rstrip("%")) // 100) if str(surge).endswith("%") else surge
        total += (most + more) * pool
    return total


def server_limit(environment: str) -> int:
    (values,) = parsed((VALUES / environment / "global.yaml").read_text())
    return values["global"]["database"]["maxConnections"]
