"""What all passes through the data plane have in common: they change as little as they can."""

from mesh.description import Endpoint
from mesh.problems import hop_replies
from mesh.proto import Json, extension, socket_address, typed

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Shorter than the keep-alive of the services, or a POST meets a connection that just closed.
IDLE_SECONDS = 55
UNBOUNDED = 2_147_483_647
CONNECT = "1s"
# How often a request was sent by now, this time included: what the caller's side says to the
# callee's.
ATTEMPTS = "x-envoy-attempt-count"
# Everything by which a caller would steer time-outs and retries: all of Envoy's own headers but
# that one. RE2 has no "but".
_ORDERS = "x-envoy-([^a].*|a[^t].*)"


def listener(name: str, at: Endpoint, problem_base: str, **routing: Json) -> Json:
    """A listener for HTTP/1.1; `routing` is `rds` or `route_config`.

    Who calls, and under which request id, stays as the edge has written it.
    """
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        use_remote_address=False,
        skip_xff_append=True,
        server_header_transformation="PASS_THROUGH",
        generate_request_id=True,
        # No caller steers time-outs or retries by itself.
        early_header_mutation_extensions=[_without_orders()],
        local_reply_config=hop_replies(problem_base),
        http_filters=[
            extension(
                "envoy.filters.http.router",
                "extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            )
        ],
        **routing,
    )
    return {
        "name": name,
        "address": socket_address(at.host, at.port),
        # Otherwise a second data plane would share the port instead of being refused.
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [manager]}],
    }


def _without_orders() -> Json:
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove_on_match": {"key_matcher": {"safe_regex": {"regex": _ORDERS}}}}],
    )


def http_options() -> Json:
    """HTTP/1.1: a connection carries one request at a time, so that a pool bounds requests."""
    return {
        _HTTP_OPTIONS: typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http_protocol_options": {}},
            common_http_protocol_options={"idle_timeout": f"{IDLE_SECONDS}s"},
        )
    }


def breakers(connections: int = UNBOUNDED, pending: int = UNBOUNDED) -> Json:
    """The bounds of a cluster. What isn't bounded here has none, where Envoy would have its own."""
    return {
        "thresholds": [
            {
                "max_connections": connections,
                "max_pending_requests": pending,
                "max_requests": UNBOUNDED,
                "max_retries": UNBOUNDED,
                "track_remaining": True,
            }
        ]
    }
