"""Istio's manifests mean what App Mesh's mean: the same numbers, read from both, side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from charts.helm import template
from ops.releases import UNRELEASED, release

from .manifests import Manifest, of_kind, of_provider, parsed, rendered

# What App Mesh's events are in Envoy's terms, which Istio speaks.
EVENTS = {
    "gateway-error": {"gateway-error", "reset"},
    "stream-error": {"refused-stream"},
    "connection-error": {"connect-failure"},
}
# AWS's services that processes call: the bus, and who they are.
AWS = {"sns", "sqs", "sts"}


@dataclass(frozen=True, kw_only=True)
class Path:
    """Where requests of one kind go, for how long, how often. `seconds` 0 is without end."""

    match: tuple[tuple[str, str], ...]
    weights: Mapping[str, int]
    seconds: int
    retries: int
    try_seconds: int | None
    retry_on: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a slot lets in, and when one of its processes is left out."""

    connections: int
    pending: int
    errors: int
    interval: int
    ejection: int
    percent: int


def both(which: str) -> tuple[list[Manifest], list[Manifest]]:
    if which == "production":
        return of_provider("appmesh"), of_provider("istio")
    return rendered()["routing/ci/canary"], rendered()["routing/ci/istio"]


@pytest.mark.parametrize("which", ["production", "canary"])
def test_routes_are_the_same(which: str) -> None:
    appmesh, istio = both(which)
    by_istio = istio_routes(istio)
    assert len(by_istio) == 3
    assert appmesh_routes(appmesh) == by_istio


def test_limits_are_the_same() -> None:
    by_istio = istio_limits(of_provider("istio"))
    assert len(by_istio) == 6
    assert appmesh_limits(of_provider("appmesh")) == by_istio


def test_the_same_callers_are_let_through() -> None:
    nodes = of_kind(of_provider("appmesh"), "VirtualNode")
    calls = {
        (name.removesuffix("-blue"), backend["virtualService"]["virtualServiceRef"]["name"])
        for name, node in nodes.items()
        if not name.endswith("-green")
        for backend in node["spec"].get("backends", [])
    }
    policies = of_kind(of_provider("istio"), "AuthorizationPolicy")
    assert policies.pop("nobody")["spec"] == {}
    assert policies.pop("edge")["spec"]["rules"] == [{"to": [{"operation": {"ports": ["8080"]}}]}]
    admitted = {
        (principal.rpartition("/")[2], callee)
        for callee, policy in policies.items()
        for rule in policy["spec"].get("rules", [])
        for principal in rule["from"][0]["source"]["principals"]
    }
    assert admitted == {call for call in calls if call[1] != "database-service"}


def test_the_same_calls_leave_a_pod() -> None:
    nodes = of_kind(of_provider("appmesh"), "VirtualNode")
    known = of_kind(of_provider("istio"), "ServiceEntry")["aws"]["spec"]["hosts"]
    assert {host.split(".")[0] for host in known} == AWS
    for name, sidecar in of_kind(of_provider("istio"), "Sidecar").items():
        node = nodes.get(f"{name}-blue", nodes.get(name))
        assert node is not None
        wanted = {
            backend["virtualService"]["virtualServiceRef"]["name"]
            for backend in node["spec"]["backends"]
        }
        hosts = {
            host.partition("/")[2].split(".")[0] for host in sidecar["spec"]["egress"][0]["hosts"]
        }
        slots = ("-blue", "-green", "-stable", "-canary")
        found = {host for host in hosts if host.endswith("-service")}
        assert found == wanted - {"database-service"}
        assert {host for host in hosts if host.endswith(slots)} == {
            f"{service}{slot}" for service in found for slot in slots
        }
        # What App Mesh lets out by itself, and Istio doesn't.
        assert (hosts & AWS == AWS) is (name == "booking-service")
        assert ("ubertruck-production" in hosts) is ("database-service" in wanted)
        assert sidecar["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_spans_leave_a_pod_when_somebody_takes_them() -> None:
    at = "http://collector.monitoring:4318"
    told = release("staging", "booking-service", UNRELEASED, settings={"global.collector": at})
    (sidecar,) = of_kind(parsed(template(told)), "Sidecar").values()
    assert "monitoring/*" in sidecar["spec"]["egress"][0]["hosts"]
    for other in of_kind(of_provider("istio"), "Sidecar").values():
        assert "monitoring/*" not in other["spec"]["egress"][0]["hosts"]


def appmesh_routes(manifests: list[Manifest]) -> dict[str, list[Path]]:
    routers = of_kind(manifests, "VirtualRouter").values()
    return {
        router["metadata"]["labels"]["app.kubernetes.io/name"]: [
            _of_appmesh(route["httpRoute"])
            for route in sorted(router["spec"]["routes"], key=lambda one: one["priority"])
        ]
        for router in routers
    }


def _of_appmesh(route: Mapping[str, Any]) -> Path:
    match, policy = route["match"], route["retryPolicy"]
    wanted = [("method", match["method"])] if "method" in match else []
    if match["prefix"] != "/":
        wanted.append(("prefix", match["prefix"]))
    for header in match.get("headers", []):
        wanted.append((header["name"], header.get("match", {}).get("exact", "")))
    events = [*policy.get("httpRetryEvents", []), *policy["tcpRetryEvents"]]
    again = policy["maxRetries"] > 0
    return Path(
        match=tuple(sorted(wanted)),
        weights={
            target["virtualNodeRef"]["name"]: target["weight"]
            for target in route["action"]["weightedTargets"]
        },
        seconds=route["timeout"]["perRequest"]["value"],
        retries=policy["maxRetries"],
        try_seconds=policy["perRetryTimeout"]["value"] if again else None,
        retry_on=frozenset(one for event in events if again for one in EVENTS[event]),
    )


def istio_routes(manifests: list[Manifest]) -> dict[str, list[Path]]:
    return {
        name: [path for route in service["spec"]["http"] for path in _of_istio(route)]
        for name, service in of_kind(manifests, "VirtualService").items()
    }


def _of_istio(route: Mapping[str, Any]) -> Iterator[Path]:
    retries = route["retries"]
    again = retries["attempts"] > 0
    for match in route.get("match", [{}]):
        wanted = [("method", match["method"]["exact"])] if "method" in match else []
        if "uri" in match:
            wanted.append(("prefix", match["uri"]["prefix"]))
        for name, pattern in match.get("headers", {}).items():
            wanted.append((name, pattern.get("exact", "")))
        yield Path(
            match=tuple(sorted(wanted)),
            weights={
                target["destination"]["host"].split(".")[0]: target.get("weight", 100)
                for target in route["route"]
            },
            seconds=seconds(route["timeout"]),
            retries=retries["attempts"],
            try_seconds=seconds(retries["perTryTimeout"]) if again else None,
            retry_on=frozenset(retries["retryOn"].split(",")) if again else frozenset(),
        )


def appmesh_limits(manifests: list[Manifest]) -> dict[str, Limits]:
    found: dict[str, Limits] = {}
    for name, node in of_kind(manifests, "VirtualNode").items():
        (listener,) = node["spec"]["listeners"]
        if "connectionPool" in listener:
            pool, ejection = listener["connectionPool"]["http"], listener["outlierDetection"]
            found[name] = Limits(
                connections=pool["maxConnections"],
                pending=pool["maxPendingRequests"],
                errors=ejection["maxServerErrors"],
                interval=ejection["interval"]["value"],
                ejection=ejection["baseEjectionDuration"]["value"],
                percent=ejection["maxEjectionPercent"],
            )
    return found


def istio_limits(manifests: list[Manifest]) -> dict[str, Limits]:
    sidecars = of_kind(manifests, "Sidecar")
    found: dict[str, Limits] = {}
    for name, rule in of_kind(manifests, "DestinationRule").items():
        # The pool is the callee's own, as App Mesh has it: a caller's would hold for each caller.
        pool = sidecars[name.rpartition("-")[0]]["spec"]["inboundConnectionPool"]
        policy = rule["spec"]["trafficPolicy"]
        assert "connectionPool" not in policy
        ejection = policy["outlierDetection"]
        # App Mesh's Envoys go on with all when fewer than half are left.
        assert ejection["minHealthPercent"] == 50
        found[name] = Limits(
            connections=pool["tcp"]["maxConnections"],
            pending=pool["http"]["http1MaxPendingRequests"],
            errors=ejection["consecutive5xxErrors"],
            interval=seconds(ejection["interval"]),
            ejection=seconds(ejection["baseEjectionTime"]),
            percent=ejection["maxEjectionPercent"],
        )
    return found


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))
