"""What a plan may say, in which order it goes, and what a policy file may hold."""

from collections.abc import Mapping, Set
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.errors import OpsError
from ops.plane import read_manifests
from ops.rollout.plan import Policy, calls_of, in_order, plan_for, read_policy, replicas_for

from .plans import CALLS


def test_who_is_called_goes_first() -> None:
    assert in_order(CALLS.keys(), CALLS) == ["auth-service", "config-service", "booking-service"]


def test_the_order_counts_calls_by_way_of_services_that_stay() -> None:
    calls: Mapping[str, Set[str]] = {"a": {"b"}, "b": {"z"}, "z": set[str]()}
    assert in_order({"a", "z"}, calls) == ["z", "a"]


def test_two_that_call_each_other_have_no_order() -> None:
    calls = {"a": {"b"}, "b": {"a"}}
    assert in_order({"a"}, calls) == ["a"]
    with pytest.raises(OpsError, match="a and b call each other"):
        in_order({"a", "b"}, calls)


def test_calls_are_read_from_the_manifests() -> None:
    assert calls_of(read_manifests()) == CALLS


@pytest.mark.parametrize(
    ("versions", "why"),
    [
        ({"nowhere-service": "2"}, "There is no service nowhere-service. There are: auth-service"),
        ({"booking-service": ""}, "version: String should have at least 1 character"),
        ({"booking-service": "a b"}, "version"),
        ({}, "changes: Tuple should have at least 1 item"),
    ],
)
def test_nonsense_is_refused_in_one_line(versions: dict[str, str], why: str) -> None:
    with pytest.raises(OpsError, match=why) as refused:
        plan_for(versions, CALLS, Policy())
    assert refused.value.code == 2
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("steps = [1, 10]", "steps: steps are 1 to 20 weights, from 1 at least, and the last is 1"),
        ("steps = [0, 100]", "steps"),
        ("steps = [10, 10, 100]", "each step is greater"),
        ("steps = []", "steps"),
        ("bake_seconds = 0", "bake_seconds: Input should be greater than or equal to 1"),
        ("bake_seconds = nan", "bake_seconds"),
        ("keep_old_seconds = -1", "keep_old_seconds"),
        ("bake = 3", "bake: Extra inputs are not permitted"),
        ("steps = [", "is no TOML"),
        ('[[freeze]]\nname = "x"\ntime_zone = "Asia/Atlantis"', "'Asia/Atlantis' is no time zone"),
        ('[[freeze]]\nname = "x"\nfirst = 2026-02-02\nlast = 2026-02-01', "`last` is before"),
        ('[[freeze]]\nname = "x"\ndays = ["funday"]', "freeze.0.days.0"),
    ],
)
def test_a_bad_policy_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(OpsError, match=why) as refused:
        read_policy(file)
    assert refused.value.code == 2
    assert "\n" not in str(refused.value)


def test_a_policy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="No such file"):
        read_policy(tmp_path / "none.toml")


@settings(max_examples=50, deadline=None)
@given(weight=st.integers(0, 100), full=st.integers(1, 500))
def test_replicas_carry_their_weight(weight: int, full: int) -> None:
    replicas = replicas_for(weight, full)
    assert 1 <= replicas <= full
    assert replicas * 100 >= weight * full
    assert replicas == 1 or (replicas - 1) * 100 < weight * full
