"""One environment's cluster as a place of rollouts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import yaml

from ops.errors import OpsError
from ops.releases import ENVIRONMENTS, SERVICES, VALUES
from ops.rollout.eks.forward import Forwards
from ops.rollout.eks.helm import Helm
from ops.rollout.eks.kubectl import Kubectl
from ops.rollout.eks.ledger import ClusterLedger
from ops.rollout.eks.routing import ROUTING
from ops.rollout.eks.site import EksSite, commit
from ops.rollout.eks.store import ClusterStore
from ops.rollout.eks.telling import ClusterHealth, ClusterMetrics, compared_by, prometheus_of
from ops.rollout.metrics.prometheus import APPS
from ops.rollout.places import POLICIES, Place, Sight, in_words
from ops.rollout.validator import Validator

# Each look at the state is a process that logs in to the cluster.
ATTENTION_SECONDS = 2.0


def cluster(environment: str) -> Place:
    """The cluster that kubectl points to, which has to be this environment's."""
    if environment not in ENVIRONMENTS:
        names = ", ".join(ENVIRONMENTS)
        raise OpsError(f"There is no environment {environment}. There are: {names}.", code=2)
    kubectl, forwards = Kubectl(), Forwards()
    helm = Helm(environment=environment, kubectl=kubectl)
    site = EksSite(kubectl=kubectl, helm=helm, forwards=forwards)

    @asynccontextmanager
    async def seeing() -> AsyncGenerator[Sight]:
        values = (await helm.told(ROUTING)).values
        at = prometheus_of(values)
        validator = Validator(
            site=site,
            # What is forwarded to a pod passes its sidecar by.
            metrics=ClusterMetrics(forwards=forwards, prometheus=at, series=APPS),
            health=ClusterHealth(kubectl=kubectl, forwards=forwards),
        )
        metrics = ClusterMetrics(forwards=forwards, prometheus=at, series=compared_by(values))
        try:
            yield Sight(metrics=metrics, validate=in_words(validator))
        finally:
            forwards.close()

    return Place(
        site=site,
        store=ClusterStore(kubectl),
        ledger=ClusterLedger(kubectl=kubectl),
        calls=_calls(),
        policy=POLICIES / f"{environment}.toml",
        named=commit,
        seeing=seeing,
        attention=ATTENTION_SECONDS,
    )


def _calls() -> dict[str, set[str]]:
    """Which of the services each of them calls, by helm/values/global.yaml."""
    calls = yaml.safe_load((VALUES / "global.yaml").read_text())["global"]["calls"]
    return {service: {*calls.get(service, ())} & {*SERVICES} for service in SERVICES}
