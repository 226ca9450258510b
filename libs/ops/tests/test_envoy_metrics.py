"""The figures of a rollout on a laptop: what a real Envoy counts, and what is made of it."""

import asyncio
import json
from pathlib import Path

import pytest

from mesh.dataplane.stats import BOUNDS
from ops.rollout.analysis import LIMITS, Look, Outcome, Verdict, judge
from ops.rollout.metrics import envoy
from ops.rollout.metrics.envoy import EnvoyMetrics, totals, watching
from ops.rollout.metrics.history import Totals
from ops.rollout.ports import Colour, Window

from .colours import SERVICE, Colours, colours
from .windows import READY

BLUE, GREEN = Colour


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy, "PERIOD", 0.05)


async def window(metrics: EnvoyMetrics, colour: Colour) -> Window:
    found = await metrics.window(SERVICE, colour, seconds=60)
    assert found is not None
    return found


async def whole(metrics: EnvoyMetrics, number: int) -> dict[Colour, Window]:
    """The windows of both colours once all of so many requests are in them."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.02)
            found = [await metrics.window(SERVICE, colour, seconds=60) for colour in Colour]
            blue, green = found
            if blue and green and blue.requests + green.requests >= number:
                return {BLUE: blue, GREEN: green}


async def verdict(metrics: EnvoyMetrics) -> Verdict:
    """As the driver asks for it in the middle of a bake."""
    new, old, recent = [
        await metrics.window(SERVICE, colour, seconds=seconds)
        for colour, seconds in ((GREEN, 60), (BLUE, 60), (GREEN, LIMITS.burst_seconds))
    ]
    return judge(Look(new=new, old=old, recent=recent, targets=READY), over=False)


async def bad(metrics: EnvoyMetrics, running: Colours) -> str:
    """Why the new version is bad; requests come until it is, 1 in 2 to the new version."""
    async with asyncio.timeout(20):
        while True:
            await running.send(20)
            found = await verdict(metrics)
            if found.outcome is Outcome.BAD:
                return found.reason


async def test_requests_failures_and_times_are_those_of_each_colour(tmp_path: Path) -> None:
    async with colours(tmp_path, green=50) as running, watching(running.socket) as metrics:
        await whole(metrics, 0)
        running.apps[GREEN].delay = 0.06
        running.apps[GREEN].fails_each = 2
        await running.send(100)
        found = await whole(metrics, 100)
        async with asyncio.timeout(10):
            while sum(found[GREEN].counts) < found[GREEN].requests:
                found = await whole(metrics, 100)
        assert [found[one].requests for one in Colour] == [running.apps[one].seen for one in Colour]
        assert found[BLUE].failures == 0
        assert found[GREEN].failures == found[GREEN].requests // 2
        assert sum(found[GREEN].counts[: BOUNDS.index(50) + 1]) == 0


async def test_what_the_mesh_sends_again_counts_once(tmp_path: Path) -> None:
    async with colours(tmp_path, green=100) as running, watching(running.socket) as metrics:
        await whole(metrics, 0)
        await running.apps[GREEN].crash()
        await running.send(5, method="GET")
        await running.send(5, method="POST")
        found = await whole(metrics, 10)
        assert (found[GREEN].requests, found[GREEN].failures) == (10, 10)


async def test_a_crash_failures_and_300_ms_are_found(tmp_path: Path) -> None:
    async with colours(tmp_path, green=50) as running:
        green = running.apps[GREEN]
        async with watching(running.socket) as metrics:
            await whole(metrics, 0)
            await running.send(220)
            assert (await verdict(metrics)).outcome is Outcome.WAIT
            green.delay = 0.3
            assert "Slower than before" in await bad(metrics, running)
        green.delay, green.fails_each = 0, 10
        async with watching(running.socket) as metrics:
            await whole(metrics, 0)
            assert "More failures than before" in await bad(metrics, running)
        await running.apps[GREEN].crash()
        async with watching(running.socket) as metrics:
            await whole(metrics, 0)
            assert "burst of failures" in await bad(metrics, running)


async def test_an_envoy_that_is_gone_has_no_fresh_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy, "FRESH_SECONDS", 0.5)
    async with colours(tmp_path) as running, watching(running.socket) as metrics:
        await whole(metrics, 0)
        assert await metrics.window("payment-service", GREEN, seconds=60) is None
        running.envoy.kill_group()
        async with asyncio.timeout(20):
            while await metrics.window(SERVICE, GREEN, seconds=60) is not None:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "told",
    [b"", b"nothing", b"{}", b'{"stats": 3}', b'{"stats": [{"name": "a", "value": "many"}]}'],
)
async def test_what_is_no_answer_of_an_envoy_is_refused(told: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        totals(told)


def test_buckets_of_another_release_are_refused() -> None:
    name = "vhost.a-blue/a-blue-1.vcluster.first.upstream_rq_time"
    histogram = {"name": name, "buckets": [{"upper_bound": 1, "interval": 0, "cumulative": 4}]}
    told = json.dumps({"stats": [{"histograms": [histogram]}]}).encode()
    with pytest.raises(LookupError):
        totals(told)


def test_what_is_not_told_is_0_and_others_are_not_ours() -> None:
    names = ("first.upstream_rq_total", "first.upstream_rq_completed", "other.upstream_rq_total")
    stats = [{"name": f"vhost.a-blue/a-blue-1.vcluster.{name}", "value": 3} for name in names]
    stats.append({"name": "cluster.ingress_a-blue-1.upstream_rq_total", "value": 9})
    nothing = (0,) * (len(BOUNDS) + 1)
    assert totals(json.dumps({"stats": stats}).encode()) == {
        ("a-blue", "a-blue-1"): Totals(3, 0, nothing)
    }
