"""From the description of an edge gateway to the bootstrap configuration of Envoy 1.40."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.access_log import access_log
from mesh.admin import admin_interface
from mesh.clusters import cluster
from mesh.dataplane.plane import write_route_file
from mesh.dataplane.splits import Outgoing
from mesh.description import Edge, Upstream
from mesh.filters import http_filters
from mesh.headers import strip_headers
from mesh.overload import overload_manager
from mesh.probes import probe_cluster, probe_listener
from mesh.problems import local_replies
from mesh.proto import Json, duration, extension, socket_address, watched
from mesh.routes import route_configuration
from mesh.tokens import keys_upstream

_REPLICAS = "edge-replicas"
# No caller is one of us, not even on this machine. An empty list would mean the private networks.
_NOBODY: Json = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}


@dataclass(frozen=True, kw_only=True)
class OwnEgress:
    """What the gateway takes over of the mesh, so that its requests pass one Envoy less.

    `services` by upstream; `clusters` those that their routes name; `routes` the file that Envoy
    watches, to be written by `write_edge_routes` before it starts.
    """

    services: Mapping[str, Outgoing]
    clusters: tuple[Json, ...]
    routes: Path


def write_edge_routes(edge: Edge, egress: OwnEgress) -> bool:
    """Write the routes of the gateway, before it starts or for other weights while it runs."""
    return write_route_file(egress.routes, route_configuration(edge, egress.services))


def edge_config(edge: Edge, egress: OwnEgress | None = None) -> Json:
    """The whole bootstrap as plain data; JSON of it is what Envoy reads."""
    direct = [one for one in edge.upstreams if egress is None or one.name not in egress.services]
    issuer = edge.upstream(edge.tokens.upstream)
    config: Json = {
        # A watched file counts as a management server, and those want to know who asks.
        "node": {"id": "edge", "cluster": "edge"},
        "static_resources": {
            "listeners": [
                _listener(edge, egress),
                *([probe_listener(edge.probes)] if edge.probes else []),
            ],
            "clusters": [
                *(cluster(upstream) for upstream in direct),
                *(egress.clusters if egress else ()),
                cluster(keys_upstream(edge.tokens, issuer)),
                *_more_clusters(edge),
            ],
        },
        "overload_manager": overload_manager(edge.limits),
    }
    if edge.admin:
        config["admin"] = admin_interface(edge.admin)
    if edge.replicas:
        config["cluster_manager"] = {"local_cluster_name": _REPLICAS}
    return config


def _more_clusters(edge: Edge) -> list[Json]:
    clusters: list[Json] = []
    if edge.replicas:
        # Never called: its members are counted, and each takes its share of the rate limits.
        clusters.append(cluster(Upstream(name=_REPLICAS, endpoints=edge.replicas)))
    if edge.probes and edge.admin and edge.admin.socket:
        clusters.append(probe_cluster(edge.admin.socket))
    return clusters


def _listener(edge: Edge, egress: OwnEgress | None) -> Json:
    return {
        "name": "edge",
        "address": socket_address(edge.listen.host, edge.listen.port),
        # Otherwise a second gateway would share the port instead of being refused.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": edge.limits.connection_buffer,
        "filter_chains": [{"filters": [_connection_manager(edge, egress)]}],
    }


def _connection_manager(edge: Edge, egress: OwnEgress | None) -> Json:
    return extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="AUTO",
        server_name="ubertruck",
        **_who_calls(edge),
        **_how_paths_are_read(),
        **_how_long_and_how_much(edge),
        access_log=[access_log(edge.access_log)],
        local_reply_config=local_replies(edge.problem_base),
        **_routing(edge, egress),
        http_filters=http_filters(edge),
    )


def _routing(edge: Edge, egress: OwnEgress | None) -> Json:
    if egress is None:
        return {"route_config": route_configuration(edge)}
    return {"rds": {"route_config_name": "edge", "config_source": watched(egress.routes)}}


def _who_calls(edge: Edge) -> Json:
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": edge.trusted_hops,
        "internal_address_config": _NOBODY,
        "early_header_mutation_extensions": [
            strip_headers(edge.strip_headers, edge.trusted_hops),
        ],
        "forward_client_cert_details": "SANITIZE",
        "generate_request_id": True,
        "preserve_external_request_id": False,
        "always_set_request_id_in_response": True,
    }


def _how_paths_are_read() -> Json:
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }


def _how_long_and_how_much(edge: Edge) -> Json:
    return {
        "request_headers_timeout": duration(edge.timeouts.headers),
        "request_timeout": duration(edge.timeouts.request),
        "stream_idle_timeout": duration(edge.timeouts.stream_idle),
        "drain_timeout": duration(edge.timeouts.drain),
        "delayed_close_timeout": "1s",
        "max_request_headers_kb": edge.limits.header_kib,
        "common_http_protocol_options": {
            "idle_timeout": duration(edge.timeouts.connection_idle),
            "max_headers_count": edge.limits.header_count,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": edge.limits.streams,
            "initial_stream_window_size": 64 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
    }
