"""What a cluster tells of a rollout: processes of themselves, and Prometheus of their requests."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from ops.errors import OpsError
from ops.rollout.eks.forward import Forwards, Target
from ops.rollout.eks.helm import Values
from ops.rollout.eks.kubectl import PODS, Kubectl
from ops.rollout.metrics.prometheus import APPS, ISTIO, PrometheusMetrics, Series
from ops.rollout.ports import Colour, Window
from ops.rollout.validator import HealthAnswer

logger = logging.getLogger(__name__)

HEALTH_PORT = 9090
TIMEOUT = 5.0


@dataclass(frozen=True, kw_only=True)
class ClusterHealth:
    """The health ports of a slot's pods, which network policies keep from everybody else."""

    kubectl: Kubectl
    forwards: Forwards

    async def health(self, service: str, colour: Colour, path: str) -> Mapping[str, HealthAnswer]:
        """What each api answers to `GET path`, by pod; those that don't are left out."""
        labels = {
            "app.kubernetes.io/name": service,
            "app.kubernetes.io/component": "api",
            "ubertruck.in/colour": colour,
        }
        pods = await self.kubectl.select(PODS, labels)
        names = [
            pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]
        ]
        said = await asyncio.gather(*(self._ask(name, path) for name in names))
        return {name: answer for name, answer in zip(names, said, strict=True) if answer}

    async def _ask(self, pod: str, path: str) -> HealthAnswer | None:
        try:
            answer = await _get(self.forwards, Target(f"pod/{pod}", HEALTH_PORT), path)
        except (OpsError, httpx.HTTPError) as error:
            logger.warning("%s doesn't say how it is: %s", pod, error)
            return None
        return HealthAnswer(answer.status_code, answer.text)


@dataclass(frozen=True, kw_only=True)
class ClusterMetrics:
    """The cluster's Prometheus, which is reached only from inside."""

    forwards: Forwards
    prometheus: Target
    series: Series

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        """See `PrometheusMetrics`; None also when there is no way to it."""
        try:
            url = await asyncio.to_thread(self.forwards.url, self.prometheus)
        except OpsError as error:
            logger.warning("There is no way to Prometheus: %s", error)
            return None
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            told = PrometheusMetrics(client=client, series=self.series)
            return await told.window(service, colour, seconds=seconds)


def prometheus_of(values: Values) -> Target:
    """Where `global.prometheus` is, an address such as http://prometheus.monitoring.svc…:9090."""
    url = urlsplit(str(values["global"]["prometheus"]))
    name, namespace, *_ = (url.hostname or "").split(".")
    return Target(f"service/{name}", url.port or 80, namespace)


def compared_by(values: Values) -> Series:
    """What versions are compared by: what the mesh counts, if it tells Prometheus."""
    return ISTIO if values["global"]["mesh"]["provider"] == "istio" else APPS


async def _get(forwards: Forwards, target: Target, path: str) -> httpx.Response:
    url = await asyncio.to_thread(forwards.url, target)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=TIMEOUT) as client:
        return await client.get(path)
