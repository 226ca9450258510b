"""Manifests that read well and would be refused, or do something else than they say."""

import pytest

from mesh.appmesh.reading import BadManifests
from mesh.appmesh.rules import faults_of, require_sound

from .shop import shop

READ = "match: {prefix: /, method: GET}"
MESH = "kind: Mesh\nmetadata:\n  name: shop"
BROKEN = {
    "retries of what may not be repeated": (
        {READ: "match: {prefix: /, method: PATCH}"},
        "spec.routes[3].httpRoute.retryPolicy: repeats requests that may not be sent twice",
    ),
    "retries of whatever comes": (
        {READ: "match: {prefix: /}"},
        "spec.routes[3].httpRoute.retryPolicy: repeats requests that may not be sent twice",
    ),
    "retries that aren't turned off": (
        {"        retryPolicy: {maxRetries: 0, perRetryTimeout: {unit: s, value: 10}}\n": ""},
        "pay-router: spec.routes[0].httpRoute.retryPolicy: is missing: App Mesh then retries",
    ),
    "retries longer than the request": (
        {"perRetryTimeout: {unit: ms, value: 300}": "perRetryTimeout: {unit: ms, value: 340}"},
        "spec.routes[2].httpRoute.retryPolicy: retries may last longer than the 1 s",
    ),
    "a node that gives up before its route": (
        {"http: {perRequest: {unit: s, value: 30}}": "http: {idle: {unit: s, value: 30}}"},
        "spec.routes[0].httpRoute.timeout: shop/pay-blue itself gives up earlier",
    ),
    "a node that bounds a stream": (
        {"http: {perRequest: {unit: s, value: 0}}": "http: {perRequest: {unit: s, value: 20}}"},
        "spec.routes[1].httpRoute.timeout: shop/stock-blue itself gives up earlier",
    ),
    "ejection behind one address": (
        {"pay-service-blue.shop.svc.cluster.local, responseType: ENDPOINTS}":
         "pay-service-blue.shop.svc.cluster.local}"},
        "spec.listeners[0].outlierDetection: does nothing with one address",
    ),
    "ejection that a health check undoes": (
        {"      connectionPool:": "      healthCheck: {protocol: http, intervalMillis: 5000, "
         "timeoutMillis: 2000, healthyThreshold: 2, unhealthyThreshold: 2}\n      connectionPool:"},
        "spec.listeners[0].outlierDetection: is undone by healthCheck",
    ),
    "no pods": (
        {"  podSelector:\n    matchLabels: {app: front}\n": ""},
        "VirtualNode shop/front: spec.podSelector: is missing",
    ),
    "pods of two nodes": (
        {"{app: stock-service, colour: green}": "{app: stock-service}"},
        "shop/stock-green: spec.podSelector: takes pods that shop/stock-blue takes too",
    ),
    "no discovery": (
        {"  serviceDiscovery:\n    dns: {hostname: postgres.example, responseType: LOADBALANCER}\n":
         "  podSelector: {matchLabels: {app: db}}\n"},
        "VirtualNode shop/database: spec.serviceDiscovery: is missing",
    ),
    "a target that isn't there": (
        {"{virtualNodeRef: {name: pay-blue}": "{virtualNodeRef: {name: pay-red}"},
        "weightedTargets[0]: there is no VirtualNode shop/pay-red",
    ),
    "a port that isn't there": (
        {"{name: pay-blue}, weight: 100, port: 8080}": "{name: pay-blue}, weight: 100, port: 80}"},
        "weightedTargets[0].port: shop/pay-blue has no such listener",
    ),
    "weights of nothing": (
        {"{name: pay-blue}, weight: 100": "{name: pay-blue}, weight: 0"},
        "spec.routes[0].httpRoute.action.weightedTargets: weights are all 0",
    ),
    "a router that isn't there": (
        {"virtualRouterRef: {name: pay-router}": "virtualRouterRef: {name: pay}"},
        "VirtualService shop/pay-service: spec.provider.virtualRouter: there is no VirtualRouter",
    ),
    "a node that isn't there": (
        {"virtualNodeRef: {name: database}": "virtualNodeRef: {name: data}"},
        "spec.provider.virtualNode: there is no VirtualNode shop/data",
    ),
    "requests without a router": (
        {"virtualNodeRef: {name: database}": "virtualNodeRef: {name: pay-blue}"},
        "spec.provider.virtualNode: without a router App Mesh tries HTTP requests again",
    ),
    "a backend that isn't there": (
        {"virtualServiceRef: {name: pay-service}": "virtualServiceRef: {name: pays}"},
        "VirtualNode shop/front: spec.backends[1]: there is no VirtualService shop/pays",
    ),
    "a backend that stands twice": (
        {"virtualServiceRef: {name: pay-service}": "virtualServiceRef: {name: stock-service}"},
        "VirtualNode shop/front: spec.backends[1]: shop/stock-service stands twice",
    ),
    "names that stand twice": (
        {"awsName: pay-service.shop.local": "awsName: stock-service.shop.local"},
        "VirtualService shop/pay-service: spec.awsName: is also the name of shop/stock-service",
    ),
    "routes that share a name": (
        {"name: write-with-key": "name: read"},
        "spec.routes[3].name: read is the name of several routes",
    ),
    "a route of another protocol": (
        {"    - name: any\n      httpRoute:\n        match: {prefix: /}\n": "    - name: any\n"
         "      tcpRoute:\n", "        retryPolicy: {maxRetries: 0, perRetryTimeout: {unit: s, "
         "value: 10}}\n        timeout: {perRequest: {unit: s, value: 30}}\n": ""},
        "VirtualRouter shop/pay-router: spec.routes[0]: is for tcp, which no listener speaks",
    ),
    "two listeners on a port": (
        {"    - portMapping: {port: 5432, protocol: tcp}": "    - portMapping: {port: 5432, "
         "protocol: tcp}\n    - portMapping: {port: 5432, protocol: tcp}"},
        "VirtualNode shop/database: spec.listeners: two of them have the same port",
    ),
    "no mesh": (
        {MESH: "kind: VirtualNode\nmetadata:\n  name: mesh", "  namespaceSelector:\n"
         "    matchLabels:\n      mesh: shop\n  egressFilter:\n    type: DROP_ALL":
         "  podSelector:\n    matchLabels:\n      mesh: shop\n"},
        "belongs to exactly one Mesh, and there are 0",
    ),
}  # fmt: skip


def test_the_manifests_of_the_tests_are_sound() -> None:
    manifests = shop()
    assert require_sound(manifests) is manifests


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_told(name: str) -> None:
    changes, message = BROKEN[name]
    with pytest.raises(BadManifests) as caught:
        require_sound(shop(changes))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {READ: "match: {prefix: /, method: PUT}"},
        # A connection that was refused has carried nothing.
        {READ: "match: {prefix: /}", "[gateway-error, stream-error]": "[stream-error]"},
    ],
)
def test_what_is_safe_may_be_repeated(change: dict[str, str]) -> None:
    assert faults_of(shop(change)) == []
