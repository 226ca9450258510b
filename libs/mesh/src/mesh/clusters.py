"""Upstreams as Envoy clusters."""

from mesh.description import Endpoint, Upstream
from mesh.proto import Json, duration, extension, socket_address, typed

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def cluster(upstream: Upstream) -> Json:
    """An upstream over HTTP/1.1 keep-alive, without retries and with an upper bound of its own."""
    return {
        "name": upstream.name,
        "connect_timeout": duration(upstream.connect_timeout),
        **discovery(upstream.endpoints),
        "load_assignment": {
            "cluster_name": upstream.name,
            "endpoints": [{"lb_endpoints": [_endpoint(one) for one in upstream.endpoints]}],
        },
        "typed_extension_protocol_options": {_HTTP_OPTIONS: _http_options(upstream)},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": upstream.max_connections,
                    "max_pending_requests": upstream.max_pending,
                    "max_requests": upstream.max_connections + upstream.max_pending,
                    "max_retries": 0,
                }
            ]
        },
    }


def discovery(endpoints: tuple[Endpoint, ...]) -> Json:
    """How Envoy finds these endpoints: by address, or by asking for a name again and again."""
    if all(endpoint.is_address for endpoint in endpoints):
        return {"type": "STATIC"}
    return {
        "cluster_type": extension(
            "envoy.cluster.dns",
            "extensions.clusters.dns.v3.DnsCluster",
            # Whatever the answer's own time: Docker says ten minutes, and gives the address of a
            # container that went to the next one.
            dns_refresh_rate="5s",
            respect_dns_ttl=False,
            dns_lookup_family="V4_PREFERRED",
        )
    }


def _endpoint(endpoint: Endpoint) -> Json:
    return {"endpoint": {"address": socket_address(endpoint.host, endpoint.port)}}


def _http_options(upstream: Upstream) -> Json:
    return typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http_protocol_options": {}},
        common_http_protocol_options={"idle_timeout": duration(upstream.idle_timeout)},
    )
