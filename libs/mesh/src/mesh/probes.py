"""How the gateway is, on a port of its own, for whoever may not reach the admin interface."""

from pathlib import Path

from mesh.description import Listen
from mesh.proto import Json, extension, socket_address

_CLUSTER = "edge-admin"
# Path here, path at the admin interface.
_PATHS = (("/readyz", "/ready"), ("/metrics", "/stats/prometheus"))


def probe_listener(listen: Listen) -> Json:
    """`/readyz` is 503 while the gateway drains, `/metrics` is Prometheus text, the rest 404."""
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="probes",
        route_config={"virtual_hosts": [_host()]},
        http_filters=[
            extension("envoy.filters.http.router", "extensions.filters.http.router.v3.Router")
        ],
    )
    return {
        "name": "probes",
        "address": socket_address(listen.host, listen.port),
        "enable_reuse_port": False,
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [manager]}],
    }


def probe_cluster(admin: Path) -> Json:
    """The admin interface behind its socket."""
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(admin)}}}}
    return {
        "name": _CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def _host() -> Json:
    routes = [
        {
            "match": {"path": path},
            "route": {"cluster": _CLUSTER, "prefix_rewrite": target, "timeout": "5s"},
        }
        for path, target in _PATHS
    ]
    return {"name": "probes", "domains": ["*"], "routes": routes}
