"""The chain of HTTP filters, in the order in which a request meets them."""

from mesh.body import body_limit
from mesh.description import Edge
from mesh.limits import limit_numbers, limit_of_all, limit_of_clients
from mesh.proto import Json, extension
from mesh.tokens import token_filter


def http_filters(edge: Edge) -> list[Json]:
    """Cheap refusals come first; the client's limit needs the token, and the body comes last."""
    shared = bool(edge.replicas)
    return [
        _health(edge.health_path),
        extension("envoy.filters.http.cors", "extensions.filters.http.cors.v3.Cors"),
        limit_numbers(),
        *([limit_of_all(edge.rate_limit, shared=shared)] if edge.rate_limit else []),
        token_filter(edge.tokens),
        limit_of_clients(),
        body_limit(edge.limits.body),
        extension(
            "envoy.filters.http.router",
            "extensions.filters.http.router.v3.Router",
            suppress_envoy_headers=True,
        ),
    ]


def _health(path: str) -> Json:
    return extension(
        "envoy.filters.http.health_check",
        "extensions.filters.http.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": path}}],
    )
