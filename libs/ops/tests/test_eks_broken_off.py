"""Upgrades that fail or are killed half-way: what they left is made good."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psutil
import pytest

from ops.errors import OpsError
from ops.rollout.eks.helm import Helm
from ops.rollout.eks.kubectl import Kubectl
from ops.rollout.eks.site import EksSite
from ops.rollout.ports import Colour

from .cluster import Cluster, Refused
from .controllers import controlled
from .support import eventually

BLUE, GREEN = Colour
BOOKING = "booking-service"
NEW = "2" * 40
Deed = Coroutine[Any, Any, None]


@pytest.fixture
def cluster(booking_cluster: Cluster) -> Cluster:
    """One in which booking runs in blue."""
    return booking_cluster


@pytest.fixture
def site() -> EksSite:
    """One that forgets a killed upgrade soon."""
    kubectl = Kubectl()
    return EksSite(kubectl=kubectl, helm=Helm(environment="dev", kubectl=kubectl, seconds=4))


@asynccontextmanager
async def halted(cluster: Cluster, deed: Deed, at: str) -> AsyncGenerator[asyncio.Task[None]]:
    """A deed whose helm waits before it writes an object, until the block's end."""
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def halt(verb: str, path: str) -> None:
        if verb in ("PATCH", "DELETE", "POST") and at in path:
            loop.call_soon_threadsafe(reached.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    cluster.before = halt
    doing = asyncio.create_task(deed)
    await reached.wait()
    try:
        yield doing
    finally:
        cluster.before = lambda verb, path: None
        go_on.set()


async def killed(cluster: Cluster, deed: Deed, at: str) -> None:
    """Begin a deed, and kill its helm with some of its objects written."""
    async with halted(cluster, deed, at) as doing:
        (helm,) = (one for one in psutil.Process().children() if one.name() == "helm")
        helm.kill()
        with pytest.raises(OpsError, match="helm"):
            await doing


async def refused(cluster: Cluster, deed: Deed, at: str) -> None:
    """Do it in a cluster that refuses an object."""

    def refuse(verb: str, path: str) -> None:
        if verb in ("PATCH", "DELETE", "POST") and at in path:
            raise Refused(500, "InternalError")

    cluster.before = refuse
    with pytest.raises(OpsError, match="helm can't upgrade"):
        await deed
    cluster.before = lambda verb, path: None


def workers(cluster: Cluster) -> list[int]:
    names = (f"{BOOKING}-{colour}-worker" for colour in Colour)
    return [cluster.get("deployments", name)["spec"]["replicas"] for name in names]


async def test_a_version_is_brought_up_again(cluster: Cluster, site: EksSite) -> None:
    await killed(cluster, site.bring_up(BOOKING, GREEN, NEW, replicas=1), "/deployments/")
    assert await site.version(BOOKING, GREEN) is None
    for _ in range(2):
        await site.bring_up(BOOKING, GREEN, NEW, replicas=1)
        assert await site.version(BOOKING, GREEN) == NEW
    await refused(cluster, site.scale(BOOKING, GREEN, 2), f"/{BOOKING}-green")
    await site.scale(BOOKING, GREEN, 2)
    scaler = cluster.get("horizontalpodautoscalers", f"{BOOKING}-green")
    assert scaler["spec"]["minReplicas"] == 2


async def test_a_version_that_the_cluster_refuses_is_in_nobodys_way(
    cluster: Cluster, site: EksSite
) -> None:
    await refused(cluster, site.bring_up(BOOKING, GREEN, NEW, replicas=1), "/deployments/")
    await site.promote(BOOKING, BLUE)
    assert await site.active(BOOKING) is BLUE
    assert await site.version(BOOKING, GREEN) is None
    assert (await site.helm.told(BOOKING)).settled


@pytest.mark.nightly
async def test_a_promotion_and_its_way_back_go_on(cluster: Cluster, site: EksSite) -> None:
    await site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    async with controlled(cluster):
        await killed(cluster, site.promote(BOOKING, GREEN), f"/deployments/{BOOKING}-green-worker")
        assert workers(cluster) == [0, 1], "half a promotion"
        assert await site.active(BOOKING) is BLUE
        # Who takes it back doesn't believe that: blue has no worker.
        await site.promote(BOOKING, BLUE)
        assert workers(cluster) == [1, 0]
        await refused(cluster, site.promote(BOOKING, GREEN), f"/deployments/{BOOKING}-green-worker")
        await site.promote(BOOKING, GREEN)
        assert workers(cluster) == [0, 1]


@pytest.mark.nightly
async def test_a_slot_is_retired_again(cluster: Cluster, site: EksSite) -> None:
    await site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    await refused(cluster, site.retire(BOOKING, GREEN), f"/{BOOKING}-green")
    assert await site.version(BOOKING, GREEN) == NEW
    await site.retire(BOOKING, GREEN)
    assert await site.version(BOOKING, GREEN) is None


async def test_who_is_cancelled_lets_helm_end(cluster: Cluster, site: EksSite) -> None:
    deed = site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    async with halted(cluster, deed, "/deployments/") as doing:
        doing.cancel()
        await asyncio.sleep(0)
        assert not doing.done()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert (await site.helm.told(BOOKING)).settled
    assert await site.version(BOOKING, GREEN) == NEW


async def test_who_is_cancelled_twice_waits_no_longer(cluster: Cluster, site: EksSite) -> None:
    before = {*psutil.Process().children()}
    deed = site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    async with halted(cluster, deed, "/deployments/") as doing:
        doing.cancel()
        await asyncio.sleep(0)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        await eventually(lambda: before.issuperset(psutil.Process().children()))
    assert not (await site.helm.told(BOOKING)).settled


async def test_a_worker_that_does_not_start_is_not_promoted(
    cluster: Cluster, site: EksSite
) -> None:
    await site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    hasty = replace(site, worker_seconds=0.5)
    async with controlled(cluster, but={f"{BOOKING}-green-worker"}):
        with pytest.raises(OpsError, match=r"green-worker isn't ready after 0\.5 s"):
            await hasty.promote(BOOKING, GREEN)
        assert await site.active(BOOKING) is BLUE
        assert workers(cluster) == [1, 1]
        # The way back needs no worker of the new version, and leaves none that waits.
        await hasty.promote(BOOKING, BLUE)
    assert workers(cluster) == [1, 0]
