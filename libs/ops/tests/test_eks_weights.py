"""Weights in what the charts render, for both meshes."""

from functools import cache

import pytest
import yaml

from charts.helm import template
from ops.errors import OpsError
from ops.releases import release
from ops.rollout.eks import weights
from ops.rollout.eks.kubectl import Object
from ops.rollout.ports import Colour

BLUE, GREEN = Colour
BOOKING = "booking-service"
KINDS = {"appmesh": ("VirtualRouter", "booking-router"), "istio": ("VirtualService", BOOKING)}


@cache
def routes(provider: str) -> Object:
    told = release("production", "routing", settings={"global.mesh.provider": provider})
    kind, name = KINDS[provider]
    (found,) = (
        one
        for one in yaml.safe_load_all(template(told))
        if one and one["kind"] == kind and one["metadata"]["name"] == name
    )
    return found


@pytest.mark.parametrize("provider", KINDS)
def test_what_is_written_is_read_and_nothing_else_changes(provider: str) -> None:
    original = routes(provider)
    assert weights.read(original, BOOKING) == {BLUE: 100, GREEN: 0}
    wanted = {BLUE: 75, GREEN: 25}
    changed = weights.written(original, BOOKING, wanted)
    assert weights.read(changed, BOOKING) == wanted
    assert weights.written(changed, BOOKING, {BLUE: 100, GREEN: 0}) == original
    before, after = yaml.safe_dump(original), yaml.safe_dump(changed)
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    differing = {(one.strip(), other.strip()) for one, other in lines if one != other}
    assert differing == {("weight: 100", "weight: 75"), ("weight: 0", "weight: 25")}
    assert (weights.place(provider, BOOKING)[1]) == KINDS[provider][1]


def test_routes_that_disagree_are_not_guessed_about() -> None:
    broken = weights.written(routes("istio"), BOOKING, {BLUE: 50, GREEN: 50})
    broken["spec"]["http"][-1]["route"][0]["weight"] = 49
    with pytest.raises(OpsError, match="don't agree"):
        weights.read(broken, BOOKING)
    with pytest.raises(OpsError, match="don't agree"):
        weights.read(routes("istio"), "payment-service")


def test_without_a_mesh_there_is_nothing_to_divide() -> None:
    with pytest.raises(OpsError, match=r"mesh\.provider is none"):
        weights.place("none", BOOKING)
