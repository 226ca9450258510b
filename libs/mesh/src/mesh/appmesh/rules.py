"""What is wrong with manifests although each object reads well.

Some of it the App Mesh controller refuses. The rest it takes, and then does something else than
what one reads: those are faults here too, since nobody would notice.
"""

from collections.abc import Callable, Iterator
from itertools import combinations

from mesh.appmesh.common import Key
from mesh.appmesh.kinds import Kind, VirtualService
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.nodes import Listener, VirtualNode
from mesh.appmesh.reading import BadManifests, Fault
from mesh.appmesh.routers import HttpRoute, Route, VirtualRouter

DEFAULT_REQUEST_SECONDS = 15.0

Found = Iterator[tuple[Kind, str, str]]


def require_sound(manifests: Manifests) -> Manifests:
    """The manifests themselves; `BadManifests` when a rule is broken."""
    if faults := faults_of(manifests):
        raise BadManifests(faults)
    return manifests


def faults_of(manifests: Manifests) -> list[Fault]:
    """Every broken rule, in the order of the objects."""
    return [
        Fault(manifests.source_of(one), f"{one.kind} {one.key}", path, message)
        for rule in RULES
        for one, path, message in rule(manifests)
    ]


def _one_mesh(manifests: Manifests) -> Found:
    services = [*manifests.services.values(), *manifests.nodes.values()]
    if services and len(manifests.meshes) != 1:
        yield services[0], "", f"belongs to exactly one Mesh, and there are {len(manifests.meshes)}"


def _services_lead_somewhere(manifests: Manifests) -> Found:
    hosts: dict[str, Key] = {}
    for service in manifests.services.values():
        own = service.metadata.namespace
        if (
            first := hosts.setdefault(service.host, service.key) != service.key
            and hosts[service.host]
        ):
            yield service, "spec.awsName", f"is also the name of {first}"
        provider = service.spec.provider
        if router := provider.virtual_router:
            key = router.virtual_router_ref.key(own)
            if key not in manifests.routers:
                yield service, "spec.provider.virtualRouter", f"there is no VirtualRouter {key}"
        elif node := provider.virtual_node:
            yield from _service_of_a_node(manifests, service, node.virtual_node_ref.key(own))


def _service_of_a_node(manifests: Manifests, service: VirtualService, key: Key) -> Found:
    path = "spec.provider.virtualNode"
    if key not in manifests.nodes:
        yield service, path, f"there is no VirtualNode {key}"
    elif any(one.port_mapping.protocol == "http" for one in manifests.nodes[key].spec.listeners):
        yield service, path, "without a router App Mesh tries HTTP requests again, POST included"


def _routes(router: VirtualRouter) -> Iterator[tuple[str, Route]]:
    for number, route in enumerate(router.spec.routes):
        yield f"spec.routes[{number}]", route


def _http_routes(manifests: Manifests) -> Iterator[tuple[VirtualRouter, str, HttpRoute]]:
    for router in manifests.routers.values():
        for path, route in _routes(router):
            if route.http_route:
                yield router, f"{path}.httpRoute", route.http_route


def _routes_have_names_of_their_own(manifests: Manifests) -> Found:
    for router in manifests.routers.values():
        names = [route.name for route in router.spec.routes]
        for path, route in _routes(router):
            if names.count(route.name) > 1:
                yield router, f"{path}.name", f"{route.name} is the name of several routes"


def _routes_speak_their_listeners_protocol(manifests: Manifests) -> Found:
    for router in manifests.routers.values():
        protocols = {listener.port_mapping.protocol for listener in router.spec.listeners}
        for path, route in _routes(router):
            if route.protocol not in protocols:
                yield router, path, f"is for {route.protocol}, which no listener speaks"


def _targets_exist(manifests: Manifests) -> Found:
    for router in manifests.routers.values():
        for path, route in _routes(router):
            targets = f"{path}.{route.protocol}Route.action.weightedTargets"
            if not any(target.weight for target in route.targets):
                yield router, targets, "weights are all 0"
            for number, target in enumerate(route.targets):
                key = target.virtual_node_ref.key(router.metadata.namespace)
                node = manifests.nodes.get(key)
                place = f"{targets}[{number}]"
                if node is None:
                    yield router, place, f"there is no VirtualNode {key}"
                elif node.listener(target.port) is None:
                    yield router, f"{place}.port", f"{key} has no such listener, or several"


def _nodes_can_be_found(manifests: Manifests) -> Found:
    for node in manifests.nodes.values():
        if node.spec.listeners and node.spec.service_discovery is None:
            yield node, "spec.serviceDiscovery", "is missing, and there are listeners"
        ports = [listener.port_mapping.port for listener in node.spec.listeners]
        if len(set(ports)) != len(ports):
            yield node, "spec.listeners", "two of them have the same port"


def _backends_exist_once(manifests: Manifests) -> Found:
    for node in manifests.nodes.values():
        seen: set[Key] = set()
        for number, backend in enumerate(node.spec.backends):
            key = backend.virtual_service.virtual_service_ref.key(node.metadata.namespace)
            path = f"spec.backends[{number}]"
            if key not in manifests.services:
                yield node, path, f"there is no VirtualService {key}"
            if key in seen:
                yield node, path, f"{key} stands twice"
            seen.add(key)


def _pods_belong_to_one_node(manifests: Manifests) -> Found:
    """Pods of no node, or of two, are turned away by the injector."""
    selecting = [node for node in manifests.nodes.values() if _has_pods(node)]
    for node in selecting:
        selector = node.spec.pod_selector
        if selector is None or not (selector.match_labels or selector.match_expressions):
            yield node, "spec.podSelector", "is missing, so that it has no pods"
    for one, other in combinations(selecting, 2):
        if one.metadata.namespace == other.metadata.namespace and _overlap(one, other):
            yield other, "spec.podSelector", f"takes pods that {one.key} takes too"


def _has_pods(node: VirtualNode) -> bool:
    """Whether pods of ours are behind it, and not one outside address, such as a database's."""
    discovery = node.spec.service_discovery
    outside = discovery is not None and discovery.dns.response_type == "LOADBALANCER"
    return not outside or node.spec.pod_selector is not None or bool(node.spec.backends)


def _overlap(one: VirtualNode, other: VirtualNode) -> bool:
    if one.spec.pod_selector is None or other.spec.pod_selector is None:
        return False
    first, second = one.spec.pod_selector, other.spec.pod_selector
    if first.match_expressions or second.match_expressions:
        return first == second
    common = first.match_labels.keys() & second.match_labels.keys()
    return all(first.match_labels[name] == second.match_labels[name] for name in common)


def _only_what_is_safe_is_repeated(manifests: Manifests) -> Found:
    for router, path, route in _http_routes(manifests):
        retries = f"{path}.retryPolicy"
        if route.retry_policy is None:
            yield router, retries, "is missing: App Mesh then retries twice; say maxRetries 0"
        elif route.retry_policy.repeats_work and not route.match.is_repeatable:
            yield router, retries, "repeats requests that may not be sent twice; split by method"


def _retries_end_in_time(manifests: Manifests) -> Found:
    for router, path, route in _http_routes(manifests):
        policy, whole = route.retry_policy, _request_seconds(route)
        if policy is None or not whole:
            continue
        if policy.max_retries * policy.per_retry_timeout.seconds > whole:
            message = f"retries may last longer than the {whole:g} s of the request"
            yield router, f"{path}.retryPolicy", message


def _request_seconds(route: HttpRoute) -> float:
    given = route.timeout.per_request if route.timeout else None
    return DEFAULT_REQUEST_SECONDS if given is None else given.seconds


def _listeners_wait_as_long_as_routes(manifests: Manifests) -> Found:
    for router, path, route in _http_routes(manifests):
        for target in route.action.weighted_targets:
            key = target.virtual_node_ref.key(router.metadata.namespace)
            node = manifests.nodes.get(key)
            listener = node.listener(target.port) if node else None
            if listener and not _as_long(listener_seconds(listener), _request_seconds(route)):
                yield router, f"{path}.timeout", f"{key} itself gives up earlier"


def listener_seconds(listener: Listener) -> float:
    """How long a node gives a request; 0 for ever."""
    given = (
        listener.timeout.http.per_request if listener.timeout and listener.timeout.http else None
    )
    return DEFAULT_REQUEST_SECONDS if given is None else given.seconds


def _as_long(one: float, other: float) -> bool:
    return one == 0 or (other != 0 and one >= other)


def _ejection_can_work(manifests: Manifests) -> Found:
    for node in manifests.nodes.values():
        discovery = node.spec.service_discovery
        for number, listener in enumerate(node.spec.listeners):
            if listener.outlier_detection is None:
                continue
            path = f"spec.listeners[{number}].outlierDetection"
            if discovery and discovery.dns.response_type == "LOADBALANCER":
                yield node, path, "does nothing with one address: say responseType ENDPOINTS"
            if listener.health_check:
                yield node, path, "is undone by healthCheck, whose success takes ejected pods back"


RULES: tuple[Callable[[Manifests], Found], ...] = (
    _one_mesh,
    _services_lead_somewhere,
    _routes_have_names_of_their_own,
    _routes_speak_their_listeners_protocol,
    _targets_exist,
    _nodes_can_be_found,
    _backends_exist_once,
    _pods_belong_to_one_node,
    _only_what_is_safe_is_repeated,
    _retries_end_in_time,
    _listeners_wait_as_long_as_routes,
    _ejection_can_work,
)
