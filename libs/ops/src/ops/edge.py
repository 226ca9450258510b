"""The platform's edge: which request goes to which service, through a real Envoy."""

from pathlib import Path

from mesh.description import (
    UNIX_PATH_BYTES,
    Admin,
    Edge,
    Endpoint,
    Listen,
    RateLimit,
    Route,
    TokenChecks,
    Upstream,
)
from mesh.docs import Api, docs_documents
from mesh.edge import OwnEgress, edge_config, write_edge_routes
from mesh.envoy import (
    EnvoyMissing,
    HotRestart,
    envoy_binary,
    envoy_command,
    forget_restarts,
    write_config,
)
from ops.child import Child, Command, launcher
from ops.environment import base_environment
from ops.errors import OpsError
from ops.http_probe import answers_ok
from ops.ports import LOOPBACK
from ops.process import Spec
from ops.services import (
    AUDIENCE,
    AUTH,
    BOOKING,
    CONFIG,
    EDGE_NODE,
    ISSUER,
    SERVICES,
    Layout,
    Service,
    egress_port,
)
from ops.stale import mark
from ops.state import StateFolder

NAME = "edge"
KEYS_PATH = "/auth/jwks.json"
# Those where what is sent is itself the proof of who sends it.
OPEN_AUTH_PATHS = (
    "/auth/login",
    "/auth/mfa",
    "/auth/mfa/enrol",
    "/auth/mfa/confirm",
    "/auth/refresh",
    "/auth/logout",
    "/auth/token",
    KEYS_PATH,
    "/.well-known/openid-configuration",
)
BOOKING_PREFIXES = (
    "/v1/booking",
    "/v1/quotes",
    "/v1/pricing",
    "/v1/trucks",
    "/v1/drivers",
    "/v1/trips",
    "/v1/board",
)
BOOKINGS_OF_A_CLIENT = RateLimit(per_second=50, burst=100)
# Which colour answers is not for outsiders to say; inside of the mesh it is for operators.
COLOUR_HEADER = "x-ubertruck-colour"
GRACE = 5.0


def describe(layout: Layout, *, by_mesh: bool = True) -> Edge:
    """The gateway in front of the platform's services.

    It calls them by the mesh, as it does in a cluster, or directly.
    """
    return gateway(
        listen=Listen(host=LOOPBACK, port=layout.ports[NAME]),
        admin=_admin(layout.folder),
        upstreams=tuple(_upstream(layout, service, by_mesh=by_mesh) for service in SERVICES),
        checks=_folder(layout.folder, "tokens") / "checks.json",
    )


def gateway(
    *,
    listen: Listen,
    admin: Admin | None,
    upstreams: tuple[Upstream, ...],
    checks: Path | None = None,
    probes: Listen | None = None,
) -> Edge:
    """The gateway as it is everywhere outside of a cluster; an upstream is called like its service.

    `checks` is where a copy of the keys is kept, for when auth-service is away.
    """
    [issuer] = [upstream for upstream in upstreams if upstream.name == AUTH.name]
    return Edge(
        listen=listen,
        admin=admin,
        probes=probes,
        upstreams=upstreams,
        routes=(*api_routes(), *(_openapi_route(service) for service in SERVICES)),
        strip_headers=(COLOUR_HEADER,),
        documents=docs_documents(
            [Api(name=service.title, openapi=_openapi_path(service)) for service in SERVICES],
            title="Ubertruck",
        ),
        tokens=TokenChecks(
            issuer=ISSUER,
            audience=AUDIENCE,
            upstream=AUTH.name,
            jwks_path=KEYS_PATH,
            authority=issuer.authority,
            file=checks,
        ),
    )


def require_binary() -> Path:
    """Where Envoy is; OpsError when it is nowhere."""
    try:
        return envoy_binary()
    except EnvoyMissing as error:
        raise OpsError(str(error)) from error


def spec(layout: Layout, edge: Edge, egress: OwnEgress | None = None) -> Spec:
    """The gateway as a process; its configuration is written now."""
    config = layout.folder.edge / "envoy.json"
    if egress is not None:
        write_edge_routes(edge, egress)
    write_config(edge_config(edge, egress), config)
    log = layout.folder.log_of(NAME)

    async def start(generation: int) -> Child:
        # Nobody else on this machine has its port.
        restart = HotRestart(base=edge.listen.port, epoch=generation)
        command = Command(
            argv=envoy_command(config, binary=require_binary(), restart=restart),
            env=base_environment() | mark(layout.folder),
            log=log,
        )
        return await launcher(command)()

    return Spec(
        name=NAME,
        launch=lambda: start(0),
        succeed=start,
        log=log,
        ready=answers_ok(edge.listen.port, edge.health_path),
        port=edge.listen.port,
        grace=GRACE,
    )


def forget(layout: Layout) -> None:
    """Leave nothing of it behind once it is stopped."""
    forget_restarts(layout.ports[NAME])


def _upstream(layout: Layout, service: Service, *, by_mesh: bool) -> Upstream:
    port = layout.ports[egress_port(EDGE_NODE)] if by_mesh else layout.api_port(service)
    return Upstream(
        name=service.name,
        endpoints=(Endpoint(host=LOOPBACK, port=port),),
        authority=service.authority if by_mesh else None,
    )


def api_routes() -> tuple[Route, ...]:
    """What clients may ask for; helm/platform/values.yaml says the same for clusters."""
    return (
        *(Route(upstream=AUTH.name, path=path, needs_token=False) for path in OPEN_AUTH_PATHS),
        Route(upstream=AUTH.name, prefix="/auth"),
        Route(upstream=CONFIG.name, prefix="/v1/config"),
        Route(
            upstream=BOOKING.name,
            path="/v1/booking",
            methods=("POST",),
            client_limit=BOOKINGS_OF_A_CLIENT,
        ),
        *(Route(upstream=BOOKING.name, prefix=prefix) for prefix in BOOKING_PREFIXES),
    )


def _openapi_path(service: Service) -> str:
    return f"/docs/{service.name}.json"


def _openapi_route(service: Service) -> Route:
    return Route(
        upstream=service.name,
        path=_openapi_path(service),
        methods=("GET",),
        needs_token=False,
        rewrite="/openapi.json",
    )


def admin_socket(folder: StateFolder) -> Path:
    """Where the edge's Envoy tells how it is, if the path isn't too long for that."""
    return folder.run / "envoy.sock"


def _admin(folder: StateFolder) -> Admin | None:
    socket = admin_socket(folder)
    return Admin(socket=socket) if len(bytes(socket)) <= UNIX_PATH_BYTES else None


def _folder(folder: StateFolder, name: str) -> Path:
    path = folder.edge / name
    path.mkdir(mode=0o700, exist_ok=True)
    return path
