"""Who may drive on a cluster, and what a rollout remembers there."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.rollout import store
from ops.rollout.eks.kubectl import CONFIG_MAPS, Kubectl
from ops.rollout.eks.lease import NAME, LeaseLost, Leases
from ops.rollout.eks.store import NAME as store_name
from ops.rollout.eks.store import ClusterStore
from ops.rollout.plan import Change, Plan
from ops.rollout.ports import Colour
from ops.rollout.state import Before, Rollout, advance, begin

from .cluster import Cluster, Refused, running
from .support import eventually


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """An empty one."""
    found = Cluster()
    with running(found, tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield found


LEASES = Leases(kubectl=Kubectl())


def holder(cluster: Cluster) -> str:
    return cluster.get("leases", NAME)["spec"]["holderIdentity"]


async def test_one_drives_at_a_time(cluster: Cluster) -> None:
    for _ in range(2):
        async with LEASES.held():
            assert holder(cluster)
            with pytest.raises(OpsError, match="drives a rollout of this environment already"):
                async with LEASES.held():
                    pytest.fail("two drive")
        assert holder(cluster) == ""


async def test_of_two_who_begin_at_once_one_drives(cluster: Cluster) -> None:
    driving: list[str] = []

    async def drive() -> None:
        async with LEASES.held():
            driving.append(holder(cluster))
            await asyncio.sleep(1)

    done = await asyncio.gather(*(drive() for _ in range(4)), return_exceptions=True)
    assert len(driving) == 1
    assert [type(one) for one in done if one is not None] == [store.AlreadyDriven] * 3


async def test_who_gives_no_sign_of_life_is_succeeded(cluster: Cluster) -> None:
    async with LEASES.held():
        lease = cluster.get("leases", NAME)
    ago = datetime.now(UTC) - timedelta(seconds=31)
    lease["spec"] |= {
        "holderIdentity": "killed",
        "renewTime": ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    cluster.put("leases", lease)
    async with LEASES.held():
        assert holder(cluster) not in ("", "killed")


async def test_who_is_succeeded_stops(cluster: Cluster) -> None:
    async def drive() -> None:
        async with replace(LEASES, seconds=6).held():
            renewed = cluster.get("leases", NAME)["spec"]["renewTime"]
            await eventually(lambda: cluster.get("leases", NAME)["spec"]["renewTime"] > renewed)
            lease = cluster.get("leases", NAME)
            lease["spec"]["holderIdentity"] = "another"
            cluster.put("leases", lease)
            await asyncio.sleep(60)

    with pytest.raises(LeaseLost, match="Somebody else took the rollout over"):
        await drive()
    assert holder(cluster) == "another"


async def test_who_cannot_reach_the_cluster_stops_before_another_may_drive(
    cluster: Cluster,
) -> None:
    def fail(verb: str, path: str) -> None:
        raise Refused(503, "ServiceUnavailable")

    async def drive() -> None:
        async with replace(LEASES, seconds=1).held():
            cluster.before = fail
            await asyncio.sleep(60)

    with pytest.raises(LeaseLost, match="can't be kept: "):
        await drive()


async def test_what_goes_wrong_while_driving_is_told_as_it_is(cluster: Cluster) -> None:
    with pytest.raises(OpsError, match="as it is"):
        async with LEASES.held():
            raise OpsError("as it is")
    assert holder(cluster) == ""


def rollout() -> Rollout:
    plan = Plan(changes=(Change(service="booking-service", version="2" * 40),))
    before = {"booking-service": Before(colour=Colour.BLUE, version="1" * 40, replicas=2)}
    return begin(plan, before, actor="operator@demo", at=datetime.now(UTC))


async def test_a_rollout_is_written_only_over_what_was_read(cluster: Cluster) -> None:
    kept = ClusterStore(Kubectl())
    assert await kept.load() is None
    first = rollout()
    await kept.save(first, after=None)
    assert await kept.load() == first
    second = advance(first, datetime.now(UTC))
    await kept.save(second, after=first)
    for late, after in ((rollout(), None), (second, first)):
        with pytest.raises(store.Conflict, match="Somebody else changed"):
            await kept.save(late, after=after)
    assert await kept.load() == second


async def test_of_two_who_write_at_once_one_is_told(cluster: Cluster) -> None:
    kept = ClusterStore(Kubectl())
    first = rollout()
    for before in (None, first):
        written = first if before is None else advance(before, datetime.now(UTC))
        saving = (kept.save(written, after=before) for _ in range(3))
        done = await asyncio.gather(*saving, return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == ["Conflict", "Conflict", "NoneType"]


async def test_what_is_no_rollout_is_told(cluster: Cluster) -> None:
    await Kubectl().create(CONFIG_MAPS, {"metadata": {"name": store_name}, "data": {"a": "b"}})
    with pytest.raises(OpsError, match="isn't a rollout that this version understands"):
        await ClusterStore(Kubectl()).load()
