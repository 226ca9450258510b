"""The side of the caller: one listener for all that it calls, and clusters of its own."""

from pathlib import Path

from mesh.appmesh.common import Key
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.nodes import Listener, VirtualNode
from mesh.appmesh.reading import BadManifests, Fault
from mesh.dataplane.hops import CONNECT, breakers, http_options
from mesh.dataplane.splits import Outgoing, action, cluster_name, conditions, outgoing, path_match
from mesh.proto import Json, duration, watched


def routes(manifests: Manifests, caller: Key) -> Json:
    """The route configuration of a caller: a virtual host for each service that it may call.

    Anything else, also a right name with a wrong port, is 404.
    """
    return {
        "name": caller.name,
        "virtual_hosts": [_virtual_host(one) for one in outgoing(manifests, caller)],
    }


def _virtual_host(one: Outgoing) -> Json:
    return {
        "name": one.host,
        "domains": [one.host, f"{one.host}:{one.port}"],
        "include_request_attempt_count": True,
        "routes": [
            {
                "name": f"{one.service}/{split.name}",
                "match": path_match(split.match) | conditions(split.match),
                "route": action(split),
            }
            for split in one.splits
        ],
    }


def clusters(manifests: Manifests, caller: Key, endpoints: Path) -> list[Json]:
    """A cluster for each node that a caller's requests may go to.

    Two callers never share one, so that each has its own view of who is ill.
    """
    names = {
        target.virtual_node_ref.key(router.metadata.namespace)
        for service in manifests.backends_of(manifests.nodes[caller])
        if (router := manifests.router_of(service))
        for route in router.spec.routes
        if route.http_route
        for target in route.targets
    }
    return [_cluster(manifests, caller, key, endpoints) for key in sorted(names)]


def _cluster(manifests: Manifests, caller: Key, key: Key, endpoints: Path) -> Json:
    listener = http_listener(manifests, manifests.nodes[key])
    return {
        "name": cluster_name(caller, key),
        "type": "EDS",
        "connect_timeout": CONNECT,
        "eds_cluster_config": {
            "service_name": key.name,
            "eds_config": watched(endpoints / f"{key.name}.json"),
        },
        "typed_extension_protocol_options": http_options(),
        "circuit_breakers": breakers(),
        **_ejection(listener),
    }


def _ejection(listener: Listener) -> Json:
    detection = listener.outlier_detection
    if detection is None:
        return {}
    return {
        "outlier_detection": {
            "consecutive_5xx": detection.max_server_errors,
            "interval": duration(detection.interval.seconds),
            "base_ejection_time": duration(detection.base_ejection_duration.seconds),
            # Otherwise Envoy lengthens each further ejection, up to five minutes.
            "max_ejection_time": duration(detection.base_ejection_duration.seconds),
            "max_ejection_time_jitter": "0s",
            "max_ejection_percent": detection.max_ejection_percent,
            # App Mesh promises one at least; with one endpoint the panic threshold serves on.
            "always_eject_one_host": True,
            "enforcing_consecutive_5xx": 100,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_failure_percentage": 0,
        }
    }


def http_listener(manifests: Manifests, node: VirtualNode) -> Listener:
    """The one HTTP listener of a node; `BadManifests` when there are several or none."""
    found = [one for one in node.spec.listeners if one.port_mapping.protocol == "http"]
    if len(found) != 1:
        message = f"takes requests by one HTTP listener here, and there are {len(found)}"
        where = (manifests.source_of(node), f"{node.kind} {node.key}")
        raise BadManifests([Fault(*where, "spec.listeners", message)])
    return found[0]
