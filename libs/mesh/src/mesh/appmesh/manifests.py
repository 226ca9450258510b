"""A set of App Mesh objects that belong together, and how they find each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from mesh.appmesh.common import Key
from mesh.appmesh.kinds import Kind, Mesh, VirtualService
from mesh.appmesh.nodes import VirtualNode
from mesh.appmesh.routers import VirtualRouter

T = TypeVar("T")


class UnknownName(LookupError):
    """There is no such object. The message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """All objects by kind. `sources` tells the file of each, by kind and key."""

    meshes: Mapping[Key, Mesh]
    services: Mapping[Key, VirtualService]
    routers: Mapping[Key, VirtualRouter]
    nodes: Mapping[Key, VirtualNode]
    sources: Mapping[tuple[str, Key], str]

    def source_of(self, one: Kind) -> str:
        """The file that an object stands in."""
        return self.sources[one.kind, one.key]

    def service(self, name: str) -> VirtualService:
        """The virtual service of this name, whatever its namespace; UnknownName without one."""
        return _by_name(self.services, name, "virtual service")

    def node(self, name: str) -> VirtualNode:
        """The virtual node of this name, whatever its namespace; UnknownName without one."""
        return _by_name(self.nodes, name, "virtual node")

    def router_of(self, service: VirtualService) -> VirtualRouter | None:
        """The router behind a service; None for a service that is a single node."""
        provider = service.spec.provider.virtual_router
        if provider is None:
            return None
        return self.routers.get(provider.virtual_router_ref.key(service.metadata.namespace))

    def backends_of(self, node: VirtualNode) -> list[VirtualService]:
        """The services that a node may call, in its own order."""
        keys = [
            backend.virtual_service.virtual_service_ref.key(node.metadata.namespace)
            for backend in node.spec.backends
        ]
        return [self.services[key] for key in keys if key in self.services]


def _by_name(found: Mapping[Key, T], name: str, what: str) -> T:
    fitting = [one for key, one in found.items() if key.name == name]
    if len(fitting) != 1:
        names = ", ".join(sorted(key.name for key in found)) or "none"
        raise UnknownName(f"There is no {what} {name}. There are: {names}.")
    return fitting[0]
