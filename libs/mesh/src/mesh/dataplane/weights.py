"""Shares of requests: read out of manifests, and put into them."""

from collections.abc import Mapping

from mesh.appmesh.manifests import Manifests, UnknownName
from mesh.appmesh.routers import Route, VirtualRouter

LARGEST = 100


class BadWeights(ValueError):
    """Weights that can't be set. The message is one sentence for a person."""


def weights_of(manifests: Manifests, service: str) -> dict[str, int]:
    """The weights of a service by virtual node; UnknownName without such a service.

    Taken from the routes that divide requests, not from those that pin some of them to one node.
    """
    routes = [route for route in _router(manifests, service).spec.routes if route.http_route]
    dividing = max(routes, key=lambda route: len(route.targets))
    return {target.virtual_node_ref.name: target.weight for target in dividing.targets}


def with_weights(manifests: Manifests, service: str, weights: Mapping[str, int]) -> Manifests:
    """The manifests with other weights on every route of `service` that divides its requests.

    `weights` names every node among which they are divided, 0 to 100 each and not 0 for all;
    `BadWeights` otherwise. Routes that pin some requests to one node, such as an operator's header,
    stay as they are.
    """
    known = weights_of(manifests, service)
    if weights.keys() != known.keys():
        raise BadWeights(f"{service} divides its requests among {', '.join(known)}.")
    if not all(0 <= weight <= LARGEST for weight in weights.values()) or not any(weights.values()):
        raise BadWeights(f"Weights are whole numbers from 0 to {LARGEST}, and not all of them 0.")
    router = _router(manifests, service)
    routes = tuple(_route(route, weights) for route in router.spec.routes)
    changed = router.model_copy(update={"spec": router.spec.model_copy(update={"routes": routes})})
    return Manifests(
        meshes=manifests.meshes,
        services=manifests.services,
        routers={**manifests.routers, router.key: changed},
        nodes=manifests.nodes,
        sources=manifests.sources,
    )


def _router(manifests: Manifests, service: str) -> VirtualRouter:
    router = manifests.router_of(manifests.service(service))
    if router is None or not any(route.http_route for route in router.spec.routes):
        raise UnknownName(f"{service} has no routes with weights.")
    return router


def _route(route: Route, weights: Mapping[str, int]) -> Route:
    http = route.http_route
    if http is None or {target.virtual_node_ref.name for target in route.targets} != set(weights):
        return route
    targets = tuple(
        target.model_copy(update={"weight": weights[target.virtual_node_ref.name]})
        for target in route.targets
    )
    action = http.action.model_copy(update={"weighted_targets": targets})
    return route.model_copy(update={"http_route": http.model_copy(update={"action": action})})
