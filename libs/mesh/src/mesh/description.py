"""What a caller says of its edge gateway. Nothing here knows a service or Envoy."""

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
Authority = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]{1,5})?$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

UNIX_PATH_BYTES = 107


class Description(BaseModel):
    """Immutable, and refuses what it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(Description):
    """Where a process listens."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)

    @property
    def is_address(self) -> bool:
        """Whether the host is an address, not a name to be looked up."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


class Listen(Endpoint):
    """Where the gateway listens. Port 0 lets the system choose one."""

    port: int = Field(ge=0, le=65535)


class Admin(Description):
    """Envoy's own interface: a socket in the file system, or a port on this machine only."""

    socket: Path | None = None
    listen: Listen | None = None

    @model_validator(mode="after")
    def _one_and_private(self) -> Self:
        if (self.socket is None) == (self.listen is None):
            raise ValueError("The admin interface takes either a socket or a port.")
        if self.listen and not (
            self.listen.is_address and ip_address(self.listen.host).is_loopback
        ):
            raise ValueError("The admin interface may only listen on loopback.")
        if self.socket and len(bytes(self.socket)) > UNIX_PATH_BYTES:
            raise ValueError(f"The admin socket's path is longer than {UNIX_PATH_BYTES} bytes.")
        return self


class Upstream(Description):
    """A service behind the gateway. HTTP/1.1: one connection carries one request at a time.

    `authority` is what Host says to it, which a mesh routes by; without it, what the client said.
    """

    name: Name
    endpoints: tuple[Endpoint, ...] = Field(min_length=1)
    connect_timeout: Seconds = 1
    # Shorter than the keep-alive of the service, or a POST meets a connection that just closed.
    idle_timeout: Seconds = 55
    max_connections: int = Field(default=256, ge=1)
    max_pending: int = Field(default=256, ge=1)
    authority: Authority | None = None


class RateLimit(Description):
    """A token bucket: `per_second` in the long run, `burst` at once."""

    per_second: int = Field(ge=1)
    burst: int = Field(ge=1)


class Route(Description):
    """Requests that go to one upstream. The first route that fits is taken.

    `path` is exact; `prefix` ends at a slash or at the end: `/v1/a` takes `/v1/a/b`, not `/v1/ab`.
    Without `methods` every method fits. `client_limit` counts for each token subject.
    """

    upstream: Name
    path: UrlPath | None = None
    prefix: UrlPath | None = None
    methods: tuple[Method, ...] = ()
    needs_token: bool = True
    timeout: Seconds = 30
    rewrite: UrlPath | None = None
    client_limit: RateLimit | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.path is None) == (self.prefix is None):
            raise ValueError("A route has either a path or a prefix.")
        if self.prefix and self.prefix != "/" and self.prefix.endswith("/"):
            raise ValueError("A prefix doesn't end in a slash.")
        if self.rewrite and not self.path:
            raise ValueError("Only a route with an exact path can be rewritten.")
        if self.client_limit and not self.needs_token:
            raise ValueError("A limit for each client needs a token to know the client by.")
        return self


class TokenChecks(Description):
    """How access tokens are checked: RS256, against the keys that `upstream` publishes.

    `authority` is the Host that the keys are asked of; without one, the upstream's name.
    `file` is where the checks are kept with a copy of the keys, for when `upstream` is away; see
    `mesh.tokens.write_checks`. Its folder belongs to it: Envoy watches the folder.
    """

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    upstream: Name
    jwks_path: UrlPath
    authority: Authority | None = None
    file: Path | None = None
    clock_skew: int = Field(default=30, ge=1, le=30)
    cached_tokens: int = Field(default=1000, ge=1)


class Cors(Description):
    """Which web pages may call. No origin means none."""

    origins: tuple[Origin, ...] = ()
    allow_headers: tuple[HeaderName, ...] = (
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "traceparent",
    )
    expose_headers: tuple[HeaderName, ...] = (
        "etag",
        "location",
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
    )
    max_age: int = Field(default=600, ge=0)


class Document(Description):
    """A static document that the gateway answers itself, from a file or from `text`."""

    path: UrlPath
    content_type: HeaderValue
    file: Path | None = None
    text: str | None = None
    headers: tuple[tuple[HeaderName, HeaderValue], ...] = ()

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.file is None) == (self.text is None):
            raise ValueError("A document comes either from a file or from a text.")
        return self


class Timeouts(Description):
    """In seconds. `request` counts until the whole body is in."""

    headers: Seconds = 10
    request: Seconds = 15
    stream_idle: Seconds = 60
    connection_idle: Seconds = 300
    drain: Seconds = 5


class Limits(Description):
    """What one gateway process lets in. Sizes are in bytes."""

    body: int = Field(default=256 * 1024, ge=1)
    header_kib: int = Field(default=32, ge=1, le=96)
    header_count: int = Field(default=100, ge=1)
    connections: int = Field(default=1000, ge=1)
    connection_buffer: int = Field(default=32 * 1024, ge=1024)
    streams: int = Field(default=100, ge=1)
    heap: int = Field(default=512 * 1024 * 1024, ge=64 * 1024 * 1024)


class Edge(Description):
    """The whole gateway. `access_log` None means standard output.

    `trusted_hops` is the number of proxies in front whose `x-forwarded-*` are believed.
    `strip_headers` are removed from requests besides those that are always removed.
    `replicas` are all processes of this gateway, or the name by which they are found: rate limits
    then hold for all of them together. `probes` is where the gateway is asked how it is, by
    `/readyz` and `/metrics`; it needs the admin interface's socket.
    """

    listen: Listen
    admin: Admin | None = None
    upstreams: tuple[Upstream, ...]
    routes: tuple[Route, ...]
    tokens: TokenChecks
    rate_limit: RateLimit | None = RateLimit(per_second=2000, burst=5000)
    cors: Cors = Cors()
    documents: tuple[Document, ...] = ()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    access_log: Path | None = None
    health_path: UrlPath = "/edge/healthz"
    trusted_hops: int = Field(default=0, ge=0, le=8)
    strip_headers: tuple[HeaderName, ...] = ()
    replicas: tuple[Endpoint, ...] = ()
    probes: Listen | None = None
    problem_base: str = "https://ubertruck.in/problems/"

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        names = [upstream.name for upstream in self.upstreams]
        _no_twins("upstream", names)
        _no_twins("document", [document.path for document in self.documents])
        if self.probes and not (self.admin and self.admin.socket):
            raise ValueError("Probes are answered by the admin interface: give it a socket.")
        wanted = [*(route.upstream for route in self.routes), self.tokens.upstream]
        for name in wanted:
            if name not in names:
                raise ValueError(f"No upstream is called {name!r}.")
        return self

    def upstream(self, name: str) -> Upstream:
        """The upstream of this name, which validation has seen to exist."""
        return next(upstream for upstream in self.upstreams if upstream.name == name)


def _no_twins(kind: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"The {kind} {value!r} is described twice.")
        seen.add(value)
