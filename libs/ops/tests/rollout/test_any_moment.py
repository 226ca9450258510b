"""What may happen at any moment of a rollout, tried at each: its driver dies, or it is aborted."""

import asyncio
from functools import partial

import pytest

from ops.rollout.plan import Policy
from ops.rollout.state import Phase

from .fakes import Fate, Killed, World, try_to_abort
from .worlds import TWO, assert_all_new, assert_all_old, driver_of, world_of

POLICY = Policy(steps=(50, 100), bake_seconds=2, keep_old_seconds=1)


def whole(fate: Fate, failing: float = 0.0) -> World:
    """A rollout of two services to which nothing happens but `fate`."""
    world = world_of(*TWO, policy=POLICY, failing=failing)
    world.fate = fate
    asyncio.run(driver_of(world).run())
    return world


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("failing", [0.0, 0.5])
def test_killed_at_any_moment_and_driven_again_it_ends_right(after: bool, failing: float) -> None:
    calls = whole(Fate(), failing).fate.calls
    assert calls > 10
    for n in range(1, calls + 1):
        world = world_of(*TWO, policy=POLICY, failing=failing)
        world.fate = Fate(n=n, after=after)
        with pytest.raises(Killed):
            asyncio.run(driver_of(world).run())
        asyncio.run(driver_of(world).run())
        if failing:
            assert_all_old(world, *TWO)
        else:
            assert_all_new(world, *TWO)


@pytest.mark.parametrize("after", [False, True])
def test_aborted_at_any_moment_it_goes_back_unless_the_old_version_goes(after: bool) -> None:
    calls = whole(Fate(looks=not after)).fate.calls
    seen: list[Phase] = []
    for n in range(1, calls + 1):
        world = world_of(*TWO, policy=POLICY)
        world.fate = Fate(n=n, after=after, looks=not after, deed=partial(_abort, world, seen))
        asyncio.run(driver_of(world).run())
        assert len(seen) == n
        if seen[-1] is Phase.ABORTING:
            assert_all_old(world, *TWO)
        else:
            assert_all_new(world, *TWO)
    assert set(seen) == {Phase.ABORTING, Phase.RETIRING, Phase.DONE}


async def _abort(world: World, seen: list[Phase]) -> None:
    await try_to_abort(world)
    seen.append(world.rollout.phase)
