"""Whole rollouts on a real Envoy: bad versions, and drivers that are killed."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.rollout import commands, state
from ops.rollout.analysis import Limits
from ops.rollout.commands import now
from ops.rollout.plan import Policy, plan_for
from ops.rollout.ports import Colour
from ops.rollout.screen import how_to_go_on
from ops.rollout.state import Phase, Rollout

from .driving import FileLedger, place_on, quiet
from .small import SERVICE, Small, small_laptop
from .tiny import version

BLUE, GREEN = Colour.BLUE, Colour.GREEN
RATE = 400
WEIGHT = 25
PATIENCE = 60.0
BAD = Policy(steps=(WEIGHT, 100), bake_seconds=30, limits=Limits(minimum_requests=50))
# Figures are taken each second, so that of a short bake little may be seen.
GOOD = Policy(
    steps=(50, 100), bake_seconds=3, keep_old_seconds=0.5, limits=Limits(minimum_requests=5)
)


async def begun(small: Small, source: Path, policy: Policy) -> Rollout:
    """A rollout of this version, which nobody drives yet."""
    place = place_on(small.folder)
    plan = plan_for({SERVICE: str(source)}, place.calls, policy)
    return await commands.begin(place, plan, actor="nadia", ticket=None, override=None)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        pytest.param(
            "global seen; seen += 1; seen < 60 or os._exit(1)",
            "burst|None of 1",
            id="crashes",
        ),
        pytest.param(
            "global seen; seen += 1\n    if seen % 50 == 0: return 500",
            "More failures than before",
            id="2 % errors",
        ),
        pytest.param("await asyncio.sleep(0.3)", "Slower than before", id="300 ms slower"),
        pytest.param("return 503", "burst", id="broken dependency", marks=pytest.mark.nightly),
    ],
)
async def test_a_bad_version_is_rolled_back_soon(tmp_path: Path, act: str, why: str) -> None:
    good, bad = version(tmp_path, "good"), version(tmp_path, "bad", act=act)
    async with small_laptop(tmp_path, good) as small:
        users = small.caller()
        async with users.asking(RATE):
            await asyncio.sleep(1)
            await begun(small, bad, BAD)
            ended = await commands.drive(place_on(small.folder), quiet)
            over = time.monotonic()
            await asyncio.sleep(0.5)
        assert ended.phase is Phase.ABORTED
        assert ended.reason is not None
        assert any(words in ended.reason for words in why.split("|")), ended.reason
        assert await small.site.weights(SERVICE) == {BLUE: 100, GREEN: 0}
        assert await small.site.active(SERVICE) is BLUE
        assert await small.site.version(SERVICE, GREEN) == str(bad), "it is kept for a look"
        if users.failures:
            first = users.failures[0]
            assert over - first <= 10
            expected = WEIGHT / 100 * sum(first <= at <= over for at in users.answers)
            # Each request goes by chance: four standard deviations.
            assert len(users.failures) <= expected + 4 * expected**0.5 + 10
        assert all(at <= over for at in users.failures)


def started(small: Small) -> subprocess.Popen[bytes]:
    """A driver in a process of its own."""
    script = Path(__file__).with_name("driving.py")
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], "
        "run_name='__main__')"
    )
    return subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", code, str(script), str(small.folder.root)]
    )


async def driven_until(small: Small, phase: Phase, how: int = signal.SIGKILL) -> None:
    """Start a driver, and end it by a signal as soon as it is in `phase`."""
    store = place_on(small.folder).store
    driver = started(small)
    deadline = time.monotonic() + PATIENCE
    try:
        while (found := await store.load()) is not None and found.phase is not phase:
            assert driver.poll() is None, found
            assert time.monotonic() < deadline
            await asyncio.sleep(0.002)
    finally:
        driver.send_signal(how)
        await asyncio.to_thread(driver.wait)


NIGHTLY = [
    Phase.BRINGING_UP,
    Phase.VALIDATING,
    Phase.SHIFTING,
    Phase.PROMOTING,
    Phase.KEEPING_OLD,
    Phase.RETIRING,
]


@pytest.mark.parametrize(
    "phase",
    [
        Phase.BAKING,
        *(pytest.param(phase, marks=pytest.mark.nightly) for phase in NIGHTLY),
    ],
)
async def test_a_driver_killed_on_its_way_is_followed_by_one_who_ends_it(
    tmp_path: Path, phase: Phase
) -> None:
    old, new = version(tmp_path, "old"), version(tmp_path, "new")
    async with small_laptop(tmp_path, old) as small:
        users = small.caller()
        async with users.asking(200):
            await asyncio.sleep(0.5)
            await begun(small, new, GOOD)
            await driven_until(small, phase)
            ended = await commands.drive(place_on(small.folder), quiet)
        assert ended.phase is Phase.DONE, ended.reason
        assert await small.site.active(SERVICE) is GREEN
        assert await small.site.weights(SERVICE) == {BLUE: 0, GREEN: 100}
        assert await small.site.version(SERVICE, BLUE) is None
        assert users.statuses.keys() == {200}
        numbers = FileLedger(small.folder.run / "ledger").numbers()
        assert numbers == [*range(1, ended.records + 1)]


async def test_an_abort_takes_the_weight_within_a_second_with_and_without_a_driver(
    tmp_path: Path,
) -> None:
    old, new = version(tmp_path, "old"), version(tmp_path, "new")
    async with small_laptop(tmp_path, old) as small:
        place = place_on(small.folder)
        for with_driver in (True, False):
            users = small.caller()
            async with users.asking(200):
                await begun(small, new, BAD)
                with pytest.raises(OpsError, match="already"):
                    await begun(small, new, BAD)
                driving = asyncio.create_task(commands.drive(place, quiet))
                while (await place.site.weights(SERVICE))[GREEN] != WEIGHT:
                    await asyncio.sleep(0.02)
                if not with_driver:
                    driving.cancel()
                    await asyncio.gather(driving, return_exceptions=True)
                asked = time.monotonic()
                await commands.change(
                    place, lambda one: state.abort(one, "no", now(), actor="omar")
                )
                aborting = asyncio.create_task(commands.abort(place, "no", quiet, actor="omar"))
                while (await place.site.weights(SERVICE))[GREEN]:
                    await asyncio.sleep(0.01)
                taken = time.monotonic() - asked
                assert (await aborting).phase is Phase.ABORTED
                await asyncio.gather(driving, return_exceptions=True)
            # A second is what is asked for; other tests may have the processor for longer.
            assert taken < 3
            assert users.statuses.keys() == {200}


@pytest.mark.nightly
async def test_a_driver_that_is_interrupted_leaves_a_pause_to_go_on_from(tmp_path: Path) -> None:
    old, new = version(tmp_path, "old"), version(tmp_path, "new")
    async with small_laptop(tmp_path, old) as small:
        place = place_on(small.folder)
        await begun(small, new, BAD)
        await driven_until(small, Phase.BAKING, signal.SIGTERM)
        found = await place.store.load()
        assert found is not None
        assert (found.phase, found.paused) == (Phase.BAKING, "The driver was stopped.")
        assert (await small.site.weights(SERVICE))[GREEN] == WEIGHT
        assert "Go on: ubertruck rollout resume" in how_to_go_on(found)
        assert (await commands.abort(place, "enough", quiet, actor="omar")).reason == "enough"
        assert await small.site.weights(SERVICE) == {BLUE: 100, GREEN: 0}
