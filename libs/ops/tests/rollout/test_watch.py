"""What a watch makes of figures that come late, and of a shift that is made twice."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from ops.rollout import watch
from ops.rollout.analysis import Outcome, Verdict
from ops.rollout.plan import Policy
from ops.rollout.ports import Colour, Targets, Window
from ops.rollout.state import Phase, Rollout
from ops.rollout.watch import Watch

from ..windows import untimed, window
from .fakes import Version, World
from .plans import rollout_of

BOOKING = "booking-service"
GOOD = Version()


@dataclass
class Slow(World):
    """A world that tells how it goes in time or not, as `late` says one look after the other."""

    late: Iterator[bool] = field(default_factory=lambda: iter(()))
    old: Window | None = field(default_factory=lambda: window(1_000))

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        if colour is Colour.BLUE:
            return self.old
        # A look asks twice of the new version.
        if seconds > 10 and next(self.late, False):
            raise TimeoutError
        return window(1_000)


def rollout() -> Rollout:
    begun = rollout_of(BOOKING, policy=Policy(steps=(50, 100)), replicas=1)
    return begun.model_copy(update={"phase": Phase.BAKING})


def world_of(*late: bool) -> Slow:
    world = Slow({"1": GOOD, "2": GOOD}, late=iter(late))
    world.install(BOOKING, "1", 1)
    return world


async def looks(world: Slow, number: int, *, over: bool = False) -> list[Verdict]:
    watching = Watch(world, world, BOOKING)
    return [await watching.look(rollout(), 60, over=over) for _ in range(number)]


async def test_a_late_look_is_waited_for() -> None:
    found = await looks(world_of(True, True, True, True, False, True, True, True, True), 9)
    assert {one.outcome for one in found} == {Outcome.WAIT}
    assert "4 in a row" in found[3].reason
    assert "0 of 1000" in found[4].reason
    assert "1 in a row" in found[5].reason


async def test_five_late_looks_in_a_row_are_bad() -> None:
    found = await looks(world_of(*[True] * 5), 5)
    assert [one.outcome for one in found] == [*[Outcome.WAIT] * 4, Outcome.BAD]


async def test_a_late_look_at_the_end_is_bad() -> None:
    (found,) = await looks(world_of(True), 1, over=True)
    assert found.outcome is Outcome.BAD


async def test_a_look_that_never_comes_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Slow):
        async def targets(self, service: str, colour: Colour) -> Targets:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    monkeypatch.setattr(watch, "LOOK_TIMEOUT", 0.01)
    watching = Watch(Silent({}), Silent({}), BOOKING)
    found = await watching.look(rollout(), 60, over=False)
    assert found.outcome is Outcome.WAIT
    assert "Nobody tells within 0.01 s" in found.reason


async def test_a_shift_that_goes_on_after_a_pause_keeps_what_the_old_version_did() -> None:
    world = world_of()
    watching = Watch(world, world, BOOKING)
    last = rollout().model_copy(update={"step": 1})
    await watching.shift(last)
    world.old = untimed(0)  # it gets nothing any more
    await watching.shift(last)
    found = await watching.look(last, 60, over=True)
    assert found.outcome is Outcome.GO_ON, found.reason
