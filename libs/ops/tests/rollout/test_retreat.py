"""The quick way back of several services, of which one or another can't be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from ops.errors import OpsError
from ops.rollout import retreat, state
from ops.rollout.ports import Colour
from ops.rollout.state import Rollout

from .fakes import Slot, Version, World
from .plans import NOON, rollout_of

SERVICES = ("auth-service", "config-service", "booking-service")
NEW = {Colour.BLUE: 0, Colour.GREEN: 100}
OLD = {Colour.BLUE: 100, Colour.GREEN: 0}


@dataclass
class Refusing(World):
    """A world in which releases of some services can't be told, and others not even reached."""

    untold: set[str] = field(default_factory=set[str])
    unreached: set[str] = field(default_factory=set[str])
    deeds: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def give_all(self, service: str, colour: Colour) -> None:
        self.deeds.append(("give all", service))
        if service in self.unreached:
            raise OpsError(f"{service} is out of reach.")
        await super().give_all(service, colour)

    async def set_weights(self, service: str, weights: Mapping[Colour, int]) -> None:
        self.deeds.append(("tell", service))
        if service in self.untold | self.unreached:
            raise OpsError(f"{service} can't be told.")
        await super().set_weights(service, weights)


def world_at_its_end() -> tuple[Refusing, Rollout]:
    """All three services have given everything to their new versions."""
    world = Refusing({"1": Version(), "2": Version()})
    rollout = rollout_of(*SERVICES, replicas=1)
    for service in SERVICES:
        world.install(service, "1", 1)
        world.slots[service, Colour.GREEN] = Slot("2", 1)
        world.shares[service] = dict(NEW)
    ended = rollout.model_copy(update={"change": 2, "phase": state.Phase.PROMOTING})
    return world, state.abort(ended, "no", NOON, actor="omar")


async def test_all_get_their_requests_back_before_any_release_is_told() -> None:
    world, rollout = world_at_its_end()
    await retreat.weights_back(world, rollout)
    assert list(world.shares.values()) == [OLD] * 3
    latest_first = SERVICES[::-1]
    assert world.deeds == [
        *(("give all", service) for service in latest_first),
        *(("tell", service) for service in latest_first),
    ]


async def test_one_that_fails_is_in_no_other_way_and_is_told() -> None:
    world, rollout = world_at_its_end()
    world.untold, world.unreached = {"config-service"}, {"booking-service"}
    with pytest.raises(OpsError, match=r"booking-service can't be told"):
        await retreat.weights_back(world, rollout)
    assert [world.shares[service] for service in SERVICES] == [OLD, OLD, NEW]
    assert [name for do, name in world.deeds if do == "tell"] == list(SERVICES[::-1])
