"""A driver on edges of memory: every way there and back."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from ops.errors import OpsError
from ops.rollout import state
from ops.rollout.freeze import Freeze
from ops.rollout.ports import Colour
from ops.rollout.state import Phase, Rollout

from .fakes import FakeStore, Slot, aborted_by_somebody
from .plans import NOON
from .worlds import (
    BLUE,
    GREEN,
    ONE,
    QUICK,
    TWO,
    assert_all_new,
    assert_all_old,
    driver_of,
    world_of,
)


async def test_a_good_version_takes_over_step_by_step() -> None:
    world = world_of()
    assert (await driver_of(world).run()).phase is Phase.DONE
    assert world.given == [("booking-service", weight) for weight in (10, 50, 100)]
    assert_all_new(world, *ONE)
    shifted = [one.weight for one in world.written.values() if one.phase is Phase.SHIFTING]
    assert shifted == [10, 50, 100]


async def test_green_has_the_replicas_that_its_weight_needs() -> None:
    world = world_of()
    seen: list[tuple[int, int]] = []
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.BAKING:
            seen.append((rollout.weight, world.slots["booking-service", GREEN].replicas))

    driver.show = show
    await driver.run()
    assert sorted(set(seen)) == [(10, 1), (50, 2), (100, 4)]


async def test_several_services_go_one_after_the_other() -> None:
    world = world_of(*TWO)
    await driver_of(world).run()
    assert [service for service, _ in world.given] == [TWO[0]] * 3 + [TWO[1]] * 3
    assert_all_new(world, *TWO)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ({"failing": 0.02}, "failed"),
        ({"failing": 1.0}, "burst"),
        ({"milliseconds": 320.0}, "Slower"),
        ({"starts": False}, "0 of 1 processes of booking-service 2 were ready after 5 s"),
        ({"tells": False}, "no fresh figures of the new version"),
    ],
)
async def test_a_bad_version_is_taken_back_and_kept_for_a_look(
    new: dict[str, float | bool], why: str
) -> None:
    world = world_of(policy=QUICK.model_copy(update={"bake_seconds": 60.0}), **new)
    rollout = await driver_of(world).run()
    assert rollout.reason is not None
    assert why in rollout.reason
    assert_all_old(world, *ONE)
    assert world.slots["booking-service", GREEN].version == "2"


async def test_a_second_service_that_is_bad_takes_the_first_one_back() -> None:
    world = world_of(*TWO)
    calls: list[str] = []

    async def validate(service: str, colour: Colour) -> list[str]:
        calls.append(service)
        return ["Its smoke test failed."] if service == TWO[1] else []

    driver = driver_of(world)
    driver.validate = validate
    assert (await driver.run()).reason == "Its smoke test failed."
    assert calls == [*TWO]
    assert_all_old(world, *TWO)


async def test_what_cannot_be_audited_is_not_done_and_a_way_back_is_audited_later() -> None:
    world = world_of()
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        world.audit_works = not (rollout.phase is Phase.SHIFTING and rollout.weight == 50)

    driver.show = show
    rollout = await driver.run()
    assert rollout.reason == "The audit can't be written: Postgres doesn't answer."
    assert [weight for _, weight in world.given if weight] == [10]
    assert_all_old(world, *ONE)


async def test_an_audit_that_stays_away_does_not_hold_the_way_back() -> None:
    world = world_of()
    world.audit_works = False
    rollout = await driver_of(world).run()
    assert rollout.phase is Phase.ABORTED
    assert [one.action for one in rollout.unwritten] == ["start", "abort", "advance"]
    assert world.given == [("booking-service", 0)] * 2


async def test_a_freeze_stops_the_next_step_and_an_override_goes_on() -> None:
    freeze = Freeze.model_validate({"name": "tea", "from": "17:31", "until": "18:30"})
    world = world_of(policy=QUICK.model_copy(update={"freezes": (freeze,), "bake_seconds": 60.0}))
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.paused == "Frozen: tea.":
            assert rollout.weight == 10
            assert world.shares["booking-service"][GREEN] == 10
            resumed = state.resume(rollout, world.now, actor="omar", override="it mends the leak")
            world.kept = resumed

    driver.show = show
    await driver.run()
    assert_all_new(world, *ONE)
    assert "it mends the leak" in {one.reason for one in world.written.values()}


async def test_a_step_that_was_written_down_before_a_freeze_is_not_made_in_it() -> None:
    """Its driver died in between, or stood before an audit that was away."""
    always = Freeze(name="for ever")
    world = world_of(policy=QUICK.model_copy(update={"freezes": (always,)}))
    driver = driver_of(world)
    paused: list[Rollout] = []
    shifting = world.rollout.model_copy(update={"phase": Phase.SHIFTING, "step": 1})
    world.slots["booking-service", GREEN] = Slot("2", 4)
    world.kept = shifting

    def show(rollout: Rollout, words: str) -> None:
        if rollout.paused is not None:
            paused.append(rollout)
            aborted_by_somebody(world)

    driver.show = show
    await driver.run()
    assert [(one.phase, one.paused) for one in paused] == [(Phase.SHIFTING, "Frozen: for ever.")]
    assert not [weight for _, weight in world.given if weight]
    assert_all_old(world, *ONE)


async def test_a_pause_before_everything_goes_over_keeps_what_the_old_version_did() -> None:
    world = world_of()
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.paused is not None:
            world.now += timedelta(minutes=5)
            world.kept = state.resume(rollout, world.now, actor="omar")

    driver.show = show
    set_weights = world.set_weights

    async def slow(service: str, weights: Mapping[Colour, int]) -> None:
        await set_weights(service, weights)
        if weights[GREEN] == 100 and world.rollout.phase is Phase.SHIFTING and not paused:
            paused.append(True)
            world.kept = state.pause(world.rollout, "lunch", world.now, actor="omar")

    paused: list[bool] = []
    world.set_weights = slow
    await driver.run()
    assert paused
    assert_all_new(world, *ONE)


async def test_a_paused_rollout_is_still_watched() -> None:
    world = world_of()
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.BAKING and rollout.paused is None:
            world.kept = state.pause(rollout, "lunch", world.now, actor="omar")
        elif rollout.paused:
            world.versions["2"].failing = 0.5

    driver.show = show
    assert "burst" in ((await driver.run()).reason or "")
    assert_all_old(world, *ONE)


async def test_an_abort_by_somebody_else_is_seen_while_it_bakes() -> None:
    world = world_of()
    driver = driver_of(world)
    waited: list[timedelta] = []

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.BAKING:
            aborted_by_somebody(world)
        elif rollout.phase is Phase.ABORTING:
            waited.append(world.now - rollout.since)

    driver.show = show
    await driver.run()
    assert waited[0].total_seconds() < 1
    assert_all_old(world, *ONE)


async def test_a_promotion_by_somebody_else_skips_the_waiting() -> None:
    world = world_of()
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.BAKING or (
            rollout.phase is Phase.KEEPING_OLD and not rollout.hurried
        ):
            promoted = state.promote(rollout, world.now, actor="omar")
            world.kept = promoted

    driver.show = show
    await driver.run()
    assert [weight for _, weight in world.given] == [10, 100]
    assert_all_new(world, *ONE)
    assert (world.now - NOON).total_seconds() < 5


async def test_a_site_that_is_away_is_asked_until_it_takes_the_weights_back() -> None:
    world = world_of(failing=0.5)
    driver = driver_of(world)
    tries = 0

    def show(rollout: Rollout, words: str) -> None:
        nonlocal tries
        if rollout.phase is Phase.BAKING:
            world.site_works = False
        elif rollout.phase is Phase.ABORTING:
            tries += 1
            world.site_works = tries > 3

    driver.show = show
    await driver.run()
    assert tries > 3
    assert_all_old(world, *ONE)


async def test_an_old_version_that_went_is_brought_up_before_it_gets_requests() -> None:
    world = world_of()
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.KEEPING_OLD:
            world.slots.pop(("booking-service", BLUE), None)
            aborted_by_somebody(world)

    driver.show = show
    await driver.run()
    assert_all_old(world, *ONE)
    assert world.slots["booking-service", BLUE].replicas == 4


async def test_a_state_that_cannot_be_kept_ends_the_driver_with_the_weights_back() -> None:
    world = world_of()
    driver = driver_of(world)

    def show(rollout: Rollout, words: str) -> None:
        if rollout.phase is Phase.BAKING:
            world.kept = None

    driver.show = show

    class Broken(FakeStore):
        async def load(self) -> Rollout | None:
            if world.kept is None:
                raise OpsError("The file can't be read.")
            return await super().load()

    driver.store = Broken(world)
    with pytest.raises(OpsError, match="can't be read"):
        await driver.run()
    assert world.shares["booking-service"] == {BLUE: 100, GREEN: 0}


async def test_a_fault_of_the_driver_is_a_reason_to_go_back() -> None:
    world = world_of()
    driver = driver_of(world)

    async def validate(service: str, colour: Colour) -> list[str]:
        raise ZeroDivisionError("division by zero")

    driver.validate = validate
    assert (await driver.run()).reason == ("The driver failed: ZeroDivisionError: division by zero")
    assert_all_old(world, *ONE)
