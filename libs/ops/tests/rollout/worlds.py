"""Worlds in which a rollout has begun, drivers for them, and how they have to end."""

from dataclasses import replace

from ops.rollout.driver import Driver
from ops.rollout.plan import Policy
from ops.rollout.ports import Colour
from ops.rollout.state import Phase

from .fakes import FakeClock, FakeStore, Version, World
from .plans import rollout_of

GREEN, BLUE = Colour.GREEN, Colour.BLUE
QUICK = Policy(steps=(10, 50, 100), bake_seconds=20, keep_old_seconds=30, ready_seconds=5)
ONE = ("booking-service",)
TWO = ("auth-service", "booking-service")


def world_of(*services: str, policy: Policy = QUICK, **new: float | bool) -> World:
    """A world in which version 2 of `services` is as `new` says and a rollout has begun."""
    world = World({"1": Version(), "2": replace(Version(), **new)})
    for service in services or ONE:
        world.install(service, "1", 4)
    begun = rollout_of(*(services or ONE), policy=policy, replicas=4)
    world.kept = begun
    return world


def driver_of(world: World) -> Driver:
    """A driver who has just been started."""
    return Driver(
        site=world,
        metrics=world,
        store=FakeStore(world),
        ledger=world,
        validate=world.validate,
        show=lambda rollout, words: None,
        clock=FakeClock(world),
    )


def assert_all_new(world: World, *services: str) -> None:
    assert world.rollout.phase is Phase.DONE
    assert world.faults == [], world.faults
    for service in services:
        assert world.actives[service] is GREEN
        assert world.shares[service] == {BLUE: 0, GREEN: 100}
        assert (service, BLUE) not in world.slots
        assert world.slots[service, GREEN].version == "2"
    assert_all_audited(world)


def assert_all_old(world: World, *services: str) -> None:
    assert world.rollout.phase is Phase.ABORTED
    assert world.faults == [], world.faults
    for service in services:
        assert world.actives[service] is BLUE
        assert world.shares[service] == {BLUE: 100, GREEN: 0}
        assert world.slots[service, BLUE].version == "1"
    assert_all_audited(world)


def assert_all_audited(world: World) -> None:
    assert sorted(world.written) == [*range(1, world.rollout.records + 1)]
    assert world.rollout.unwritten == ()
