"""What a data plane counts of the requests to a process, for who judges a new version by it."""

import asyncio

from mesh.dataplane.stats import BOUNDS, FIRST_ATTEMPTS

from .fleet import hangs_up, slow, status
from .gateway import eventually
from .planes import RunningPlane, quick

SLOT = "vhost.quick-service-green/quick-green-1.vcluster"
# What an Envoy of seven processes and their callers had to tell before any of it was left out.
EVERYTHING = 3380


def counted(plane: RunningPlane, virtual_cluster: str, what: str) -> int:
    return plane.stat(f"{SLOT}.{virtual_cluster}.upstream_rq_{what}")


async def green_only(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, "quick-service", blue=0, green=100)


async def test_what_is_sent_once_more_is_counted_apart(plane: RunningPlane) -> None:
    await green_only(plane)
    before = [
        counted(plane, cluster, what)
        for cluster in (FIRST_ATTEMPTS, "other")
        for what in ("completed", "5xx")
    ]
    plane.fleet["quick-green-1"].behaviour = status(503)
    async with quick(plane) as caller:
        # How often it was sent is not for the caller to say.
        assert (await caller.call("GET", x_envoy_attempt_count="7")).status == 503
        assert (await caller.call("POST", x_envoy_attempt_count="7")).status == 503
    after = [
        counted(plane, cluster, what)
        for cluster in (FIRST_ATTEMPTS, "other")
        for what in ("completed", "5xx")
    ]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 2, 3, 3]


async def test_a_process_that_is_gone_has_failures(plane: RunningPlane) -> None:
    await green_only(plane)
    before = counted(plane, FIRST_ATTEMPTS, "5xx")
    plane.fleet["quick-green-1"].behaviour = hangs_up
    async with quick(plane) as caller:
        assert (await caller.call("POST")).status == 503
    assert counted(plane, FIRST_ATTEMPTS, "5xx") == before + 1


async def test_how_long_it_took_stands_in_buckets(plane: RunningPlane) -> None:
    await green_only(plane)
    name = f"{SLOT}.{FIRST_ATTEMPTS}.upstream_rq_time"

    def buckets() -> dict[float, int]:
        found = plane.histogram(name)
        assert not found or tuple(found) == BOUNDS
        return found

    plane.fleet["quick-green-1"].behaviour = slow(0.32)
    before = buckets()
    async with quick(plane) as caller:
        await caller.call("POST")
    eventually(lambda: sum(buckets().values()) > sum(before.values()))
    after = buckets()
    assert next(bound for bound in BOUNDS if after[bound] > before.get(bound, 0)) == 400


async def test_what_nobody_reads_is_not_counted(plane: RunningPlane) -> None:
    assert len(plane.stats(".")) < 0.85 * EVERYTHING
