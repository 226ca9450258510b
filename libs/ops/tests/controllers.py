"""The cluster's controller of Deployments: pods are there as soon as they are wanted."""

import asyncio
from collections.abc import AsyncGenerator, Container
from contextlib import asynccontextmanager, suppress

from .cluster import Cluster


def deployments_come_true(cluster: Cluster, but: Container[str] = ()) -> None:
    """As many pods as each Deployment or its autoscaler wants; those of `but` aren't ready."""
    for kind, name in list(cluster.objects):
        with suppress(KeyError):  # helm may take one away at any time
            if kind == "deployments":
                deployment = cluster.get(kind, name)
                number = _wanted(cluster, name)
                status = {
                    "observedGeneration": deployment["metadata"]["generation"],
                    "replicas": number,
                    "updatedReplicas": number,
                    "readyReplicas": 0 if name in but else number,
                }
                if deployment.get("status") != status:
                    cluster.set_status(kind, name, **status)


def _wanted(cluster: Cluster, name: str) -> int:
    if ("horizontalpodautoscalers", name) in cluster.objects:
        return cluster.get("horizontalpodautoscalers", name)["spec"]["minReplicas"]
    return cluster.get("deployments", name)["spec"]["replicas"]


@asynccontextmanager
async def controlled(cluster: Cluster, but: Container[str] = ()) -> AsyncGenerator[None]:
    """See `deployments_come_true`, all through the block."""

    async def control() -> None:
        while True:
            deployments_come_true(cluster, but)
            await asyncio.sleep(0.1)

    deployments_come_true(cluster, but)
    controlling = asyncio.create_task(control())
    try:
        yield
    finally:
        controlling.cancel()
