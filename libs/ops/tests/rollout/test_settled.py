"""After the promotion: nothing is judged any more, and whatever fails is tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from ops.errors import OpsError
from ops.rollout.ports import Colour
from ops.rollout.state import Phase, Rollout

from .fakes import FakeStore, aborted_by_somebody
from .worlds import BLUE, GREEN, ONE, TWO, assert_all_new, assert_all_old, driver_of, world_of

SERVICE = "booking-service"


@pytest.mark.parametrize(
    ("phase", "what"),
    [
        (Phase.KEEPING_OLD, "audit_works"),
        (Phase.RETIRING, "audit_works"),
        (Phase.RETIRING, "site_works"),
    ],
)
async def test_what_is_away_for_a_while_is_no_reason_to_go_back(phase: Phase, what: str) -> None:
    world = world_of(*TWO)
    driver = driver_of(world)
    tries = 0

    def show(rollout: Rollout, words: str) -> None:
        nonlocal tries
        if rollout.phase is phase:
            tries += 1
            setattr(world, what, tries > 3)

    driver.show = show
    await driver.run()
    assert tries > 3
    assert_all_new(world, *TWO)


@pytest.mark.parametrize("error", [OpsError("helm can't upgrade it."), ZeroDivisionError()])
async def test_an_end_that_fails_half_way_is_tried_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(*TWO)
    errors, retire = [error] * 3, world.retire

    async def fail(service: str, colour: Colour) -> None:
        if service == TWO[1] and errors:
            raise errors.pop()
        await retire(service, colour)

    monkeypatch.setattr(world, "retire", fail)
    await driver_of(world).run()
    assert errors == []
    assert_all_new(world, *TWO)


async def test_a_state_that_cannot_be_kept_leaves_a_promoted_version_where_it_is() -> None:
    world = world_of()
    driver = driver_of(world)
    lost: list[Rollout] = []

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.KEEPING_OLD:
            lost.append(rollout)

    class Broken(FakeStore):
        async def load(self) -> Rollout | None:
            if lost:
                raise OpsError("The file can't be read.")
            return await super().load()

    driver.show, driver.store = show, Broken(world)
    with pytest.raises(OpsError, match="can't be read"):
        await driver.run()
    assert world.shares[SERVICE] == {BLUE: 0, GREEN: 100}
    await driver_of(world).run()
    assert_all_new(world, *ONE)


async def test_while_an_old_version_that_went_comes_up_again_the_new_one_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of()
    driver = driver_of(world)
    answered: list[Mapping[Colour, int]] = []
    bring_up = world.bring_up

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.KEEPING_OLD:
            aborted_by_somebody(world)
        elif rollout.phase is Phase.ABORTING:
            # As if it had ended just as it got everything back.
            world.slots.pop((SERVICE, BLUE), None)
            world.shares[SERVICE] = {BLUE: 100, GREEN: 0}

    async def see(service: str, colour: Colour, version: str, *, replicas: int) -> None:
        if colour is BLUE:
            answered.append(dict(world.shares[service]))
        await bring_up(service, colour, version, replicas=replicas)

    driver.show = show
    monkeypatch.setattr(world, "bring_up", see)
    await driver.run()
    assert answered == [{BLUE: 0, GREEN: 100}]
    assert_all_old(world, *ONE)


@pytest.mark.parametrize("name", ["set_weights", "promote"])
async def test_an_abort_does_not_wait_for_a_step_that_takes_its_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mesh that never has the weights, a worker that never comes up."""
    world = world_of()
    driver = driver_of(world)
    driver.attention = 0.01
    whole: Callable[..., Awaitable[None]] = getattr(world, name)

    async def endless(*arguments: object) -> None:
        await whole(*arguments)
        forward = arguments[1] == GREEN or world.shares[SERVICE] == {BLUE: 50, GREEN: 50}
        if forward and world.rollout.phase is not Phase.ABORTING:
            aborted_by_somebody(world)
            await asyncio.Event().wait()

    monkeypatch.setattr(world, name, endless)
    async with asyncio.timeout(20):
        await driver.run()
    assert_all_old(world, *ONE)
