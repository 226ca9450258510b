"""Commands beside a driver: they wait for the right to drive, or see who has it go on."""

import asyncio

import pytest

from ops.errors import OpsError
from ops.rollout import commands, state
from ops.rollout.commands import now
from ops.rollout.freeze import Freeze
from ops.rollout.plan import Policy
from ops.rollout.state import Phase, Rollout
from ops.rollout.store import AlreadyDriven

from .fakes import Version, World, place_in
from .plans import NOON, rollout_of

SERVICE = "booking-service"
FROZEN = Policy(freeze=(Freeze(name="for ever"),))


def world_in(phase: Phase, policy: Policy | None = None) -> World:
    """A rollout in `phase` that somebody drives."""
    world = World({"1": Version(), "2": Version()}, driven=True)
    world.install(SERVICE, "1", 4)
    world.kept = rollout_of(policy=policy, replicas=4).model_copy(update={"phase": phase})
    return world


def quiet(rollout: Rollout, words: str) -> None:
    """Nobody looks."""


class Told:
    """Called when a command waits; does something the third time."""

    def __init__(self, world: World) -> None:
        self.world, self.times = world, 0

    def driver_dies(self, rollout: Rollout, words: str) -> None:
        self.times += 1
        self.world.driven = self.times < 3

    def driver_goes_on(self, rollout: Rollout, words: str) -> None:
        self.times += 1
        if self.times == 3:
            self.world.kept = state.written(rollout)

    def driver_ends_it(self, rollout: Rollout, words: str) -> None:
        self.times += 1
        if self.times == 3:
            self.world.kept = state.advance(rollout, NOON)


async def test_a_start_waits_for_the_right_that_a_dead_driver_has() -> None:
    world = world_in(Phase.ABORTING)
    told = Told(world)
    assert (await commands.to_the_end(place_in(world), told.driver_dies)).phase is Phase.ABORTED
    assert told.times >= 3


async def test_an_abort_waits_as_long_as_the_driver_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "NOTICED_SECONDS", 0.0)
    world = world_in(Phase.BAKING)
    told = Told(world)
    ended = await commands.abort(place_in(world), "no", told.driver_ends_it, actor="omar")
    assert (ended.phase, told.times) == (Phase.ABORTED, 3)
    assert [one.actor for one in ended.unwritten] == ["nadia", "omar", "nadia"]


async def test_who_resumes_after_a_driver_died_drives_once_its_right_ends() -> None:
    world = world_in(Phase.ABORTING)
    told = Told(world)
    resumed = await commands.resume(place_in(world), told.driver_dies, actor="omar", override=None)
    assert resumed.phase is Phase.ABORTED
    assert [one.actor for _, one in sorted(world.written.items())] == ["nadia", "omar", "nadia"]


async def test_who_resumes_beside_a_driver_leaves_it_to_that_one() -> None:
    world = world_in(Phase.BAKING)
    told = Told(world)
    place = place_in(world)
    resumed = await commands.resume(place, told.driver_goes_on, actor="omar", override=None)
    assert (resumed.phase, told.times) == (Phase.BAKING, 3)


async def test_a_driver_that_takes_no_notice_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "NOTICED_SECONDS", 0.0)
    place = place_in(world_in(Phase.BAKING))
    with pytest.raises(AlreadyDriven, match="drives the rollout already"):
        await commands.resume(place, quiet, actor="omar", override=None)
    with pytest.raises(AlreadyDriven, match="drives the rollout already"):
        await commands.promote(place, quiet, actor="omar", override=None)


async def test_nothing_is_promoted_while_frozen_without_a_reason() -> None:
    world = world_in(Phase.BAKING, FROZEN)
    place, told = place_in(world), Told(world)
    with pytest.raises(OpsError, match=r"Frozen: for ever.*--override-freeze"):
        await commands.promote(place, quiet, actor="omar", override=None)
    assert world.rollout.phase is Phase.BAKING
    promoted = await commands.promote(
        place, told.driver_goes_on, actor="omar", override="it mends the leak"
    )
    assert (promoted.phase, promoted.override) == (Phase.SHIFTING, "it mends the leak")


async def test_the_end_of_an_old_version_is_not_frozen() -> None:
    world = world_in(Phase.KEEPING_OLD, FROZEN)
    told = Told(world)
    place = place_in(world)
    promoted = await commands.promote(place, told.driver_goes_on, actor="omar", override=None)
    assert promoted.phase is Phase.RETIRING


async def test_a_stopped_driver_is_a_pause_of_whoever_stopped_it() -> None:
    world = world_in(Phase.VALIDATING)
    world.driven = False
    place = place_in(world)
    driving = asyncio.create_task(commands.drive(place, quiet))
    while not world.written:
        await asyncio.sleep(0.01)
    driving.cancel()
    with pytest.raises(commands.Interrupted):
        await driving
    paused = world.rollout
    assert paused.paused == "The driver was stopped."
    assert paused.unwritten[-1].actor == commands.operator()
    assert paused.since <= now()
