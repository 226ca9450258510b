"""Mesh and VirtualService, and the list of all kinds that are read."""

from typing import Literal, Self

from pydantic import model_validator

from mesh.appmesh.common import Key, Metadata, Part, Ref, Selector, exactly_one
from mesh.appmesh.nodes import VirtualNode
from mesh.appmesh.routers import VirtualRouter


class EgressFilter(Part):
    type: Literal["ALLOW_ALL", "DROP_ALL"]


class AddressPreference(Part):
    ip_preference: Literal["IPv6_ONLY", "IPv4_ONLY"]


class MeshSpec(Part):
    aws_name: str | None = None
    namespace_selector: Selector | None = None
    egress_filter: EgressFilter | None = None
    mesh_owner: str | None = None
    mesh_service_discovery: AddressPreference | None = None


class Mesh(Part):
    api_version: Literal["appmesh.k8s.aws/v1beta2"]
    kind: Literal["Mesh"]
    metadata: Metadata
    spec: MeshSpec

    @property
    def key(self) -> Key:
        return self.metadata.key


class RouterProvider(Part):
    virtual_router_ref: Ref


class NodeProvider(Part):
    virtual_node_ref: Ref


class Provider(Part):
    virtual_router: RouterProvider | None = None
    virtual_node: NodeProvider | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        exactly_one(self, "virtual_router", "virtual_node")
        return self


class ServiceSpec(Part):
    aws_name: str | None = None
    provider: Provider


class VirtualService(Part):
    api_version: Literal["appmesh.k8s.aws/v1beta2"]
    kind: Literal["VirtualService"]
    metadata: Metadata
    spec: ServiceSpec

    @property
    def key(self) -> Key:
        return self.metadata.key

    @property
    def host(self) -> str:
        """The name that callers dial."""
        return self.spec.aws_name or f"{self.metadata.name}.{self.metadata.namespace}"


Kind = Mesh | VirtualService | VirtualRouter | VirtualNode
KINDS: dict[str, type[Kind]] = {
    "Mesh": Mesh,
    "VirtualService": VirtualService,
    "VirtualRouter": VirtualRouter,
    "VirtualNode": VirtualNode,
}
