"""The edge's configuration in a cluster: what helm/platform/values.yaml says, made by libs/mesh.

One file for each way of naming services: App Mesh knows them by a domain of its own, everything
else by the cluster's.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mesh.description import (
    Admin,
    Edge,
    Endpoint,
    Listen,
    Method,
    RateLimit,
    Route,
    TokenChecks,
    Upstream,
)
from mesh.edge import edge_config
from ops.releases import HELM, NAMESPACE, VALUES

PORT = 8080
CLUSTER_DOMAIN = f"{NAMESPACE}.svc.cluster.local"
_FILES = HELM / "platform" / "files"
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod's own address; who reaches it is a network policy's
_AUTH = "auth-service"
_KEYS_PATH = "/auth/jwks.json"


class _Values(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Limit(_Values):
    """A token bucket as values write it."""

    per_second: int
    burst: int

    def described(self) -> RateLimit:
        """The same for libs/mesh."""
        return RateLimit(per_second=self.per_second, burst=self.burst)


class EdgeRoute(_Values):
    """A route as values write it."""

    service: str
    path: str | None = None
    prefix: str | None = None
    methods: tuple[Method, ...] = ()
    token: bool = True
    client_limit: Limit | None = None

    def described(self) -> Route:
        """The same for libs/mesh."""
        return Route(
            upstream=self.service,
            path=self.path,
            prefix=self.prefix,
            methods=self.methods,
            needs_token=self.token,
            client_limit=self.client_limit and self.client_limit.described(),
        )


class EdgeValues(_Values):
    """What the configuration is made from."""

    rate_limit: Limit
    routes: tuple[EdgeRoute, ...] = Field(min_length=1)


class _Mesh(_Values):
    domain: str


class _Tokens(_Values):
    issuer: str
    audience: str


class GlobalValues(_Values):
    """What all charts are told, as far as it matters here."""

    calls: dict[str, tuple[str, ...]]
    mesh: _Mesh
    tokens: _Tokens
    operators_header: str


def edge_values() -> EdgeValues:
    """What helm/platform/values.yaml says of the edge."""
    return EdgeValues.model_validate(_read(HELM / "platform" / "values.yaml", "edge"))


def edge_files() -> Iterator[tuple[Path, str]]:
    """Every file with its content."""
    shared = GlobalValues.model_validate(_read(VALUES / "global.yaml", "global"))
    domains = {"appmesh": shared.mesh.domain, "cluster": CLUSTER_DOMAIN}
    for name, domain in domains.items():
        config = edge_config(described(edge_values(), shared, domain))
        yield _FILES / f"edge-{name}.json", json.dumps(config, indent=1) + "\n"


def described(values: EdgeValues, shared: GlobalValues, domain: str) -> Edge:
    """The edge for libs/mesh, behind one load balancer, with services called `<name>.<domain>`."""
    return Edge(
        listen=Listen(host=_EVERYWHERE, port=PORT),
        admin=Admin(socket=Path("/tmp/envoy.sock")),  # noqa: S108 - of a container with one process
        probes=Listen(host=_EVERYWHERE, port=9090),
        upstreams=tuple(
            Upstream(
                name=service,
                endpoints=(Endpoint(host=f"{service}.{domain}", port=PORT),),
                authority=f"{service}.{domain}",
            )
            for service in shared.calls["edge"]
        ),
        routes=tuple(route.described() for route in values.routes),
        tokens=TokenChecks(
            issuer=shared.tokens.issuer,
            audience=shared.tokens.audience,
            upstream=_AUTH,
            jwks_path=_KEYS_PATH,
            authority=f"{_AUTH}.{domain}",
        ),
        rate_limit=values.rate_limit.described(),
        trusted_hops=1,
        # Which slot answers is not for outsiders to say.
        strip_headers=(shared.operators_header,),
        replicas=(Endpoint(host=f"edge-replicas.{CLUSTER_DOMAIN}", port=PORT),),
    )


def _read(path: Path, key: Literal["edge", "global"]) -> object:
    return yaml.safe_load(path.read_text())[key]
