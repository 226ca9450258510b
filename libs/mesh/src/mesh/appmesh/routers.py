"""VirtualRouter: which requests go to which virtual nodes, in which shares, tried how often."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mesh.appmesh.common import (
    Duration,
    HttpTimeout,
    Key,
    Metadata,
    Part,
    Port,
    PortMapping,
    Ref,
    TcpTimeout,
    Text,
    exactly_one,
    given,
)

Method = Literal["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
HttpEvent = Literal["server-error", "gateway-error", "client-error", "stream-error"]
TcpEvent = Literal["connection-error"]
Weight = Annotated[int, Field(ge=0, le=100)]

KEY_HEADER = "idempotency-key"
# Those of RFC 9110 that may be sent again: what they do, they do once.
REPEATABLE = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})


class Range(Part):
    start: int
    end: int


class HeaderValue(Part):
    exact: Text | None = None
    prefix: Text | None = None
    suffix: Text | None = None
    regex: Text | None = None
    range: Range | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        exactly_one(self, "exact", "prefix", "suffix", "regex", "range")
        return self


class HeaderMatch(Part):
    """Without `match`: the header is there."""

    name: str = Field(min_length=1, max_length=50)
    invert: bool = False
    match: HeaderValue | None = None


class QueryValue(Part):
    exact: str


class QueryMatch(Part):
    name: str = Field(min_length=1)
    match: QueryValue | None = None


class PathMatch(Part):
    exact: Text | None = None
    regex: Text | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        exactly_one(self, "exact", "regex")
        return self


class HttpMatch(Part):
    prefix: str | None = None
    path: PathMatch | None = None
    method: Method | None = None
    headers: tuple[HeaderMatch, ...] = Field(default=(), max_length=10)
    query_parameters: tuple[QueryMatch, ...] = Field(default=(), max_length=10)
    scheme: Literal["http", "https"] | None = None
    port: Port | None = None

    @model_validator(mode="after")
    def _has_one_path(self) -> Self:
        exactly_one(self, "prefix", "path")
        if self.prefix is not None and not self.prefix.startswith("/"):
            raise ValueError("prefix begins with a slash")
        return self

    @property
    def is_repeatable(self) -> bool:
        """Whether a request that matches may be sent again after a server has seen it."""
        if self.method is None or self.method not in REPEATABLE:
            return any(one.name.lower() == KEY_HEADER and not one.invert for one in self.headers)
        return True


class WeightedTarget(Part):
    virtual_node_ref: Ref
    weight: Weight
    port: Port | None = None


class Action(Part):
    weighted_targets: tuple[WeightedTarget, ...] = Field(min_length=1, max_length=10)


class RetryPolicy(Part):
    """`max_retries` attempts after the first one, none of them longer than `per_retry_timeout`."""

    max_retries: int = Field(ge=0)
    per_retry_timeout: Duration
    http_retry_events: tuple[HttpEvent, ...] = Field(default=(), max_length=25)
    tcp_retry_events: tuple[TcpEvent, ...] = Field(default=(), max_length=1)

    @property
    def repeats_work(self) -> bool:
        """Whether it repeats requests that a server may have worked on already."""
        return self.max_retries > 0 and any(
            event != "stream-error" for event in self.http_retry_events
        )


class HttpRoute(Part):
    match: HttpMatch
    action: Action
    retry_policy: RetryPolicy | None = None
    timeout: HttpTimeout | None = None


class TcpMatch(Part):
    port: Port | None = None


class TcpRoute(Part):
    action: Action
    match: TcpMatch | None = None
    timeout: TcpTimeout | None = None


class Route(Part):
    name: str = Field(min_length=1)
    priority: int | None = Field(default=None, ge=0, le=1000)
    http_route: HttpRoute | None = None
    tcp_route: TcpRoute | None = None

    @model_validator(mode="after")
    def _is_of_one_protocol(self) -> Self:
        exactly_one(self, "http_route", "tcp_route")
        return self

    @property
    def protocol(self) -> str:
        return given(self, "http_route", "tcp_route")[0].removesuffix("_route")

    @property
    def targets(self) -> tuple[WeightedTarget, ...]:
        route = self.http_route or self.tcp_route
        return route.action.weighted_targets if route else ()


class RouterListener(Part):
    port_mapping: PortMapping


class RouterSpec(Part):
    aws_name: str | None = None
    listeners: tuple[RouterListener, ...] = Field(min_length=1)
    routes: tuple[Route, ...] = ()


class VirtualRouter(Part):
    api_version: Literal["appmesh.k8s.aws/v1beta2"]
    kind: Literal["VirtualRouter"]
    metadata: Metadata
    spec: RouterSpec

    @property
    def key(self) -> Key:
        return self.metadata.key
