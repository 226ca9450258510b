"""What the two Envoys of a platform tell of the mesh, put together by service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.appmesh.manifests import Manifests
from mesh.dataplane.egress import http_listener


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process and its pool. `ejected_by` are the callers that pass it over now.

    `requests`, `errors` and `refused` (over the pool's bounds) count since its Envoy started;
    `connections` and `waiting` are bounds, None without one.
    """

    name: str
    requests: int
    errors: int
    refused: int
    busy: int
    connections: int | None
    pending: int
    waiting: int | None
    ejected_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A virtual node: its weight, and the processes that it has."""

    node: str
    weight: int
    processes: tuple[Process, ...]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one Envoy's admin interface answers: counters by name, and its clusters."""

    stats: Mapping[str, int]
    clusters: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A process as the running platform knows it: `port` is that of its ingress."""

    name: str
    node: str
    port: int


def figures(
    manifests: Manifests,
    weights: Mapping[str, Mapping[str, int]],
    instances: Sequence[Instance],
    told: Sequence[Told],
) -> dict[str, tuple[Slot, ...]]:
    """The slots of each service, by its name."""
    stats = {name: value for one in told for name, value in one.stats.items()}
    ejected = [pair for one in told for cluster in one.clusters for pair in _ejected(cluster)]
    return {
        service: tuple(
            Slot(
                node=node,
                weight=weight,
                processes=tuple(
                    _process(manifests, one, stats, ejected)
                    for one in instances
                    if one.node == node
                ),
            )
            for node, weight in shares.items()
        )
        for service, shares in weights.items()
    }


def _process(
    manifests: Manifests,
    one: Instance,
    stats: Mapping[str, int],
    ejected: Sequence[tuple[str, int]],
) -> Process:
    listener = http_listener(manifests, manifests.node(one.node))
    pool = listener.connection_pool.http if listener.connection_pool else None

    def count(name: str) -> int:
        return stats.get(f"cluster.ingress_{one.name}.{name}", 0)

    return Process(
        name=one.name,
        requests=count("upstream_rq_total"),
        errors=count("upstream_rq_5xx"),
        refused=count("upstream_rq_pending_overflow"),
        busy=count("upstream_rq_active"),
        connections=pool.max_connections if pool else None,
        pending=count("upstream_rq_pending_active"),
        waiting=pool.max_pending_requests if pool else None,
        ejected_by=tuple(sorted(caller for caller, port in ejected if port == one.port)),
    )


def _ejected(cluster: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Who passes over which port."""
    name = str(cluster.get("name", ""))
    if not name.startswith("egress_"):
        return []
    caller = name.removeprefix("egress_").rpartition("_")[0]
    return [
        (caller, int(host["address"]["socket_address"]["port_value"]))
        for host in cluster.get("host_statuses", ())
        if host.get("health_status", {}).get("failed_outlier_check")
    ]
