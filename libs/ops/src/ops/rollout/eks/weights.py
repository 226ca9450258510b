"""The weights of a service in the object that the cluster's mesh reads them from."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from ops.errors import OpsError
from ops.rollout.eks.kubectl import VIRTUAL_ROUTERS, VIRTUAL_SERVICES, Object
from ops.rollout.ports import Colour

WHOLE = 100


def place(provider: str, service: str) -> tuple[tuple[str, str], str]:
    """Kind and name of the object that holds a service's weights; OpsError without a mesh."""
    if provider == "appmesh":
        return VIRTUAL_ROUTERS, f"{service.removesuffix('-service')}-router"
    if provider == "istio":
        return VIRTUAL_SERVICES, service
    raise OpsError(f"mesh.provider is {provider}, which divides no requests: nothing to roll out.")


def checked(weights: Mapping[Colour, int]) -> dict[Colour, int]:
    """A weight for each colour; OpsError unless they are 0 to 100 and 100 together."""
    whole = {colour: weights.get(colour, 0) for colour in Colour}
    if any(not 0 <= weight <= WHOLE for weight in whole.values()) or sum(whole.values()) != WHOLE:
        raise OpsError("Weights are whole numbers from 0 to 100, and 100 together.", code=2)
    return whole


def read(routes: Object, service: str) -> dict[Colour, int]:
    """What the routes that divide requests say; OpsError when they don't say the same."""
    found = [
        {colour: int(target["weight"]) for colour, target in targets.items()}
        for targets in _dividing(routes, service)
    ]
    if not found or any(one != found[0] for one in found):
        raise OpsError(f"The routes of {service} in the cluster don't agree on their weights.")
    return found[0]


def written(routes: Object, service: str, weights: Mapping[Colour, int]) -> Object:
    """The same object with other weights on every route that divides requests."""
    changed = deepcopy(routes)
    for targets in _dividing(changed, service):
        for colour, target in targets.items():
            target["weight"] = weights[colour]
    return changed


def is_taken_up(routes: Object) -> bool:
    """Whether the mesh's controller has done what the object says, as far as it tells.

    App Mesh's does; Istio hands it to its proxies, within a second or so, and says nothing.
    """
    if routes["kind"] != "VirtualRouter":
        return True
    status: Mapping[str, Any] = routes.get("status", {})
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    observed = int(status.get("observedGeneration", 0))
    return (
        observed >= int(routes["metadata"]["generation"])
        and conditions.get("VirtualRouterActive") == "True"
    )


def _dividing(routes: Object, service: str) -> Iterator[dict[Colour, Any]]:
    """The targets by colour of each route that has both; others pin requests to a slot."""
    for targets in _targets(routes):
        named = {_node(target): target for target in targets}
        slots = {colour: f"{service}-{colour}" for colour in Colour}
        if named.keys() == set(slots.values()):
            yield {colour: named[slot] for colour, slot in slots.items()}


def _targets(routes: Object) -> Iterator[list[Any]]:
    if routes["kind"] == "VirtualRouter":
        for route in routes["spec"]["routes"]:
            yield route.get("httpRoute", {}).get("action", {}).get("weightedTargets", [])
    else:
        for route in routes["spec"]["http"]:
            yield route.get("route", [])


def _node(target: Mapping[str, Any]) -> str:
    if "virtualNodeRef" in target:
        return str(target["virtualNodeRef"]["name"])
    return str(target["destination"]["host"]).partition(".")[0]
