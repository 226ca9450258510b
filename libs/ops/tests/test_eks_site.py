"""Real helm and kubectl against an API server of ours: releases, weights, slots."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.errors import OpsError
from ops.rollout.eks.helm import Helm
from ops.rollout.eks.kubectl import Kubectl
from ops.rollout.eks.programs import program
from ops.rollout.eks.site import EksSite
from ops.rollout.eks.weights import written
from ops.rollout.ports import Colour, Targets

from .cluster import OLD, Cluster, Refused
from .controllers import deployments_come_true

BLUE, GREEN = Colour
BOOKING = "booking-service"
ROUTER = "booking-router"
NEW = "2" * 40
Weights = dict[Colour, int]


@pytest.fixture
def cluster(booking_cluster: Cluster) -> Cluster:
    """One in which booking runs in blue."""
    return booking_cluster


@pytest.fixture
def site() -> EksSite:
    kubectl = Kubectl()
    return EksSite(kubectl=kubectl, helm=Helm(environment="dev", kubectl=kubectl))


def weights_of(cluster: Cluster) -> list[Weights]:
    """What the routes that divide say, in the cluster."""
    routes = cluster.get("virtualrouters", ROUTER)["spec"]["routes"]
    targets = [route["httpRoute"]["action"]["weightedTargets"] for route in routes]
    return [
        {Colour(one["virtualNodeRef"]["name"].rpartition("-")[2]): one["weight"] for one in both}
        for both in targets
        if len(both) == 2
    ]


def workers_of(cluster: Cluster) -> Weights:
    """How many workers each colour is to have."""
    return {
        colour: cluster.get("deployments", f"{BOOKING}-{colour}-worker")["spec"]["replicas"]
        for colour in Colour
    }


def shares(green: int) -> Weights:
    return {BLUE: 100 - green, GREEN: green}


@pytest.mark.nightly
async def test_a_version_takes_over_and_the_other_goes(cluster: Cluster, site: EksSite) -> None:
    assert await site.active(BOOKING) == BLUE
    assert await site.version(BOOKING, BLUE) == OLD
    assert await site.version(BOOKING, GREEN) is None
    assert await site.targets(BOOKING, GREEN) == Targets(wanted=0, running=0, ready=0)

    await site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    assert await site.version(BOOKING, GREEN) == NEW
    assert await site.version(BOOKING, BLUE) == OLD
    # It waits for the lease that blue's has.
    assert workers_of(cluster) == {BLUE: 1, GREEN: 1}
    assert await site.weights(BOOKING) == shares(0)

    await site.scale(BOOKING, GREEN, 2)
    scaler = cluster.get("horizontalpodautoscalers", f"{BOOKING}-green")
    assert scaler["spec"]["minReplicas"] == 2
    assert await site.targets(BOOKING, GREEN) == Targets(wanted=2, running=0, ready=0)

    await site.set_weights(BOOKING, shares(100))
    assert await site.weights(BOOKING) == shares(100)
    assert weights_of(cluster) == [shares(100)] * 4
    asked = len(cluster.asked)
    await site.bring_up(BOOKING, GREEN, NEW, replicas=1)
    assert not [one for one in cluster.asked[asked:] if not one.startswith("GET")]

    deployments_come_true(cluster)
    await site.promote(BOOKING, GREEN)
    assert await site.active(BOOKING) == GREEN
    # The lease is green's only when blue's has gone.
    assert workers_of(cluster) == {BLUE: 0, GREEN: 1}
    assert await site.weights(BOOKING) == shares(100)

    await site.retire(BOOKING, BLUE)
    assert await site.version(BOOKING, BLUE) is None
    scaler = cluster.get("horizontalpodautoscalers", f"{BOOKING}-green")
    assert scaler["spec"]["minReplicas"] == 1
    assert await site.version(BOOKING, GREEN) == NEW
    assert weights_of(cluster) == [shares(100)] * 4


@pytest.mark.nightly
async def test_what_is_said_twice_changes_nothing(cluster: Cluster, site: EksSite) -> None:
    for _ in range(2):
        await site.set_weights(BOOKING, shares(25))
    assert cluster.get("virtualrouters", ROUTER)["metadata"]["generation"] == 2
    assert weights_of(cluster) == [shares(25)] * 4
    others = cluster.get("virtualrouters", "auth-router")
    assert others["metadata"]["generation"] == 1


async def test_the_quickest_way_back_asks_helm_for_nothing(
    cluster: Cluster, site: EksSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.set_weights(BOOKING, shares(50))
    # Beside the interpreter is where programs are, and no helm is there.
    (tmp_path / "kubectl").symlink_to(program("kubectl"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    for _ in range(2):
        await site.give_all(BOOKING, BLUE)
        assert weights_of(cluster) == [shares(0)] * 4
    assert (await site.targets(BOOKING, BLUE)).wanted == 1
    assert await site.weights(BOOKING) == shares(0)
    elsewhere = replace(site, helm=replace(site.helm, environment="production"))
    with pytest.raises(OpsError, match="the cluster of dev, not of production"):
        await elsewhere.give_all(BOOKING, GREEN)


async def test_what_was_taken_back_past_helm_is_not_undone_for_another_service(
    cluster: Cluster, site: EksSite
) -> None:
    await site.routing.tell("auth-service", weights=shares(50))
    router = cluster.get("virtualrouters", "auth-router")
    cluster.put("virtualrouters", written(router, "auth-service", shares(0)))
    await site.set_weights(BOOKING, shares(25))
    assert await site.weights("auth-service") == shares(0)
    assert await site.weights(BOOKING) == shares(25)


async def test_the_way_back_is_open_when_helm_is_not(cluster: Cluster, site: EksSite) -> None:
    await site.set_weights(BOOKING, shares(50))

    def refuse_releases(verb: str, path: str) -> None:
        if "/secrets" in path:
            raise Refused(500, "InternalError")

    cluster.before = refuse_releases
    with pytest.raises(OpsError, match="helm can't upgrade routing"):
        await site.set_weights(BOOKING, shares(0))
    assert weights_of(cluster) == [shares(0)] * 4
    with pytest.raises(OpsError, match="helm can't upgrade routing"):
        await site.set_weights(BOOKING, shares(60))
    assert weights_of(cluster) == [shares(0)] * 4, "a step forward has no such way"

    # The release says the same, once it can, and owns the weights again.
    cluster.before = lambda verb, path: None
    await site.set_weights(BOOKING, shares(0))
    await site.set_weights(BOOKING, shares(1))
    assert weights_of(cluster) == [shares(1)] * 4


async def test_somebody_who_writes_at_the_same_time_is_not_overwritten(
    cluster: Cluster, site: EksSite
) -> None:
    await site.set_weights(BOOKING, shares(50))
    edits = 2

    def edit(verb: str, path: str) -> None:
        nonlocal edits
        if verb == "PUT" and path.endswith(ROUTER) and edits:
            edits -= 1
            router = cluster.get("virtualrouters", ROUTER)
            router["metadata"]["annotations"] = {"edits-left": str(edits)}
            cluster.put("virtualrouters", router)

    cluster.before = edit
    await site.set_weights(BOOKING, shares(0))
    assert weights_of(cluster) == [shares(0)] * 4
    puts = [one for one in cluster.asked if one.startswith("PUT") and one.endswith(ROUTER)]
    assert len(puts) == 3


async def test_weights_are_live_once_the_mesh_has_taken_them_up(
    cluster: Cluster, site: EksSite
) -> None:
    cluster.controlled = False
    hasty = replace(site, settle_seconds=0.5)
    with pytest.raises(OpsError, match=r"hasn't taken up the weights .* in 0\.5 s"):
        await hasty.set_weights(BOOKING, shares(10))
    setting = asyncio.create_task(site.set_weights(BOOKING, shares(20)))
    while weights_of(cluster)[0] != shares(20):
        await asyncio.sleep(0.05)
    assert not setting.done()
    cluster.controlled = True
    cluster.put("virtualrouters", cluster.get("virtualrouters", ROUTER))
    await setting


@pytest.mark.parametrize(
    ("status", "running_now", "ready"),
    [
        ({}, 0, 0),
        ({"observedGeneration": 0, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, 0, 0),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}, 1, 0),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1}, 2, 1),
        # Two of the version before, both ready, and a new one that isn't.
        ({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, 1, 0),
    ],
)
async def test_pods_count_when_they_are_of_the_version_asked_for(
    cluster: Cluster, site: EksSite, status: dict[str, Any], running_now: int, ready: int
) -> None:
    cluster.set_status("deployments", f"{BOOKING}-blue", **status)
    assert await site.targets(BOOKING, BLUE) == Targets(wanted=1, running=running_now, ready=ready)


async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    cluster: Cluster, site: EksSite
) -> None:
    await site.set_weights(BOOKING, shares(10))
    before = dict(cluster.objects)
    refusals = {
        "commit of 40 hex": site.bring_up(BOOKING, GREEN, "v1.2", replicas=1),
        "is active": site.bring_up(BOOKING, BLUE, NEW, replicas=1),
        "gets requests": site.bring_up(BOOKING, GREEN, NEW, replicas=1),
        "from 1 to 2 replicas": site.scale(BOOKING, BLUE, 3),
        "Nothing runs in booking-service-green": site.scale(BOOKING, GREEN, 1),
        "Nothing runs in booking-service-green.": site.promote(BOOKING, GREEN),
        "is active: no way to stop": site.retire(BOOKING, BLUE),
        "100 together": site.set_weights(BOOKING, {BLUE: 80, GREEN: 10}),
        "from 0 to 100": site.set_weights(BOOKING, {BLUE: 110, GREEN: -10}),
        "isn't installed": site.active("payment-service"),
    }
    for words, refusal in refusals.items():
        with pytest.raises(OpsError, match=words):
            await refusal
    assert cluster.objects == before


@pytest.mark.usefixtures("cluster")
async def test_only_the_environment_that_is_meant_is_touched(site: EksSite) -> None:
    wrong = replace(site, helm=replace(site.helm, environment="production"))
    for deed in (wrong.set_weights(BOOKING, shares(0)), wrong.scale(BOOKING, BLUE, 2)):
        with pytest.raises(OpsError, match="the cluster of dev, not of production"):
            await deed


async def test_a_cluster_that_is_away_or_slow_is_one_sentence(
    cluster: Cluster, site: EksSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.before = lambda verb, path: asyncio.run(asyncio.sleep(3))
    slow = Kubectl(seconds=0.3)
    with pytest.raises(OpsError, match=r"kubectl replace took longer than 0\.3 s"):
        await slow.replace(("/api/v1", "secrets"), {"metadata": {"name": "a"}})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere.yaml"))
    for asked in (site.version(BOOKING, BLUE), site.active(BOOKING)):
        with pytest.raises(OpsError) as caught:
            await asked
        assert "\n" not in str(caught.value)
