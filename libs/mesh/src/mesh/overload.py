"""What an Envoy does when it has too much: connections over the limit are closed."""

from mesh.description import Limits
from mesh.proto import Json, extension

_HEAP = "envoy.resource_monitors.fixed_heap"


def overload_manager(limits: Limits) -> Json:
    """The edge's, which also looks after its memory."""
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            connections_limit(limits.connections),
            extension(
                _HEAP,
                "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=limits.heap,
            ),
        ],
        "actions": [
            _when("envoy.overload_actions.shrink_heap", 0.90),
            _when("envoy.overload_actions.disable_http_keepalive", 0.92),
            _when("envoy.overload_actions.stop_accepting_requests", 0.95),
        ],
    }


def connections_limit(connections: int) -> Json:
    """The bound on connections from callers, over all listeners."""
    return extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=connections,
    )


def _when(action: str, above: float) -> Json:
    return {"name": action, "triggers": [{"name": _HEAP, "threshold": {"value": above}}]}
