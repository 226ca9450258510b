"""Everything that a rollout needs of one environment's cluster."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ops.errors import OpsError
from ops.rollout.eks.forward import Forwards
from ops.rollout.eks.helm import Helm
from ops.rollout.eks.kubectl import Kubectl
from ops.rollout.eks.site import ROUTING, EksSite
from ops.rollout.eks.store import ClusterStore
from ops.rollout.eks.telling import ClusterHealth, ClusterMetrics, compared_by, prometheus_of
from ops.rollout.metrics.prometheus import APPS


@dataclass(frozen=True, kw_only=True)
class Place:
    """`metrics` are what versions are compared by; `own_metrics` count operators' requests too."""

    site: EksSite
    store: ClusterStore
    health: ClusterHealth
    metrics: ClusterMetrics
    own_metrics: ClusterMetrics


@asynccontextmanager
async def opened(environment: str) -> AsyncGenerator[Place]:
    """The cluster that kubectl points to; OpsError when that is another environment's."""
    kubectl, forwards = Kubectl(), Forwards()
    helm = Helm(environment=environment, kubectl=kubectl)
    values = await helm.values(ROUTING)
    here = values["global"]["environment"]
    if here != environment:
        raise OpsError(f"kubectl points to the cluster of {here}, not of {environment}.", code=2)
    prometheus = prometheus_of(values)
    try:
        yield Place(
            site=EksSite(kubectl=kubectl, helm=helm, forwards=forwards),
            store=ClusterStore(kubectl),
            health=ClusterHealth(kubectl=kubectl, forwards=forwards),
            metrics=ClusterMetrics(
                forwards=forwards, prometheus=prometheus, series=compared_by(values)
            ),
            own_metrics=ClusterMetrics(forwards=forwards, prometheus=prometheus, series=APPS),
        )
    finally:
        forwards.close()
