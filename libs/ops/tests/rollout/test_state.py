"""Which move leads where, and that every way ends right."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.rollout import state
from ops.rollout.plan import Policy
from ops.rollout.state import ENDS, SETTLED, IllegalMove, Phase, Rollout

from .plans import NOON, rollout_of

QUICK = Policy(steps=(10, 100))
MOVES: dict[str, Callable[[Rollout], Rollout]] = {
    "advance": lambda rollout: state.advance(rollout, NOON),
    "pause": lambda rollout: state.pause(rollout, "lunch", NOON, actor="omar"),
    "resume": lambda rollout: state.resume(rollout, NOON, actor="omar"),
    "restart": lambda rollout: state.restarted(rollout, NOON),
    "promote": lambda rollout: state.promote(rollout, NOON, actor="omar"),
    "abort": lambda rollout: state.abort(rollout, "it smells", NOON, actor="omar"),
    "write": state.written,
}


def at(phase: Phase, *, paused: bool = False) -> Rollout:
    found = rollout_of("auth-service", "booking-service", policy=QUICK)
    return found.model_copy(update={"phase": phase, "paused": "lunch" if paused else None})


def through(rollout: Rollout) -> list[tuple[str, Phase, int]]:
    seen = [(rollout.now.service, rollout.phase, rollout.weight)]
    while not rollout.ended:
        rollout = state.advance(rollout, NOON)
        seen.append((rollout.now.service, rollout.phase, rollout.weight))
    return seen


def of_service(name: str) -> list[tuple[str, Phase, int]]:
    return [
        (name, Phase.BRINGING_UP, 0),
        (name, Phase.VALIDATING, 0),
        (name, Phase.SHIFTING, 10),
        (name, Phase.BAKING, 10),
        (name, Phase.SHIFTING, 100),
        (name, Phase.BAKING, 100),
        (name, Phase.PROMOTING, 100),
    ]


def test_a_rollout_goes_through_its_services_and_steps() -> None:
    begun = rollout_of("booking-service", "auth-service", policy=QUICK)
    assert through(begun) == [
        ("auth-service", Phase.PENDING, 0),
        *of_service("auth-service"),
        *of_service("booking-service"),
        ("booking-service", Phase.KEEPING_OLD, 100),
        ("booking-service", Phase.RETIRING, 100),
        ("booking-service", Phase.DONE, 100),
    ]


def test_each_move_is_recorded_under_a_number_of_its_own() -> None:
    rollout = state.pause(rollout_of(), "lunch", NOON, actor="omar")
    rollout = state.resume(rollout, NOON, actor="priya")
    rollout = state.abort(state.advance(rollout, NOON), "it smells", NOON, actor="omar")
    kept = [(one.number, one.actor, one.action, one.phase, one.reason) for one in rollout.unwritten]
    assert kept == [
        (1, "nadia", "start", Phase.PENDING, None),
        (2, "omar", "pause", Phase.PENDING, "lunch"),
        (3, "priya", "resume", Phase.PENDING, None),
        (4, "nadia", "advance", Phase.BRINGING_UP, None),
        (5, "omar", "abort", Phase.ABORTING, "it smells"),
    ]
    assert state.written(rollout).unwritten == ()


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("name", list(MOVES))
def test_only_moves_that_make_sense_are_made(phase: Phase, paused: bool, name: str) -> None:
    refused = {
        "advance": phase in ENDS or paused,
        "pause": phase in {*ENDS, *SETTLED, Phase.ABORTING},
        "resume": phase in ENDS,
        "promote": phase not in {Phase.SHIFTING, Phase.BAKING, *SETTLED},
        "abort": phase in {*ENDS, Phase.RETIRING},
    }
    rollout = at(phase, paused=paused)
    if refused.get(name, False):
        with pytest.raises(IllegalMove, match=f"The rollout is {phase}"):
            MOVES[name](rollout)
    else:
        MOVES[name](rollout)


@pytest.mark.parametrize("name", ["pause", "abort", "restart"])
def test_the_same_move_twice_is_once(name: str) -> None:
    once = MOVES[name](at(Phase.BAKING))
    assert MOVES[name](once) == once


def test_a_driver_that_takes_over_is_recorded_where_it_begins_anew() -> None:
    resumed = state.resume(at(Phase.BAKING), NOON + timedelta(hours=1), actor="omar")
    again = state.restarted(resumed, NOON + timedelta(hours=1))
    assert [(one.actor, one.action, one.phase) for one in again.unwritten[1:]] == [
        ("omar", "resume", Phase.BAKING),
        ("nadia", "resume", Phase.SHIFTING),
    ]
    assert again.unwritten[-1].reason == "Another driver took over."


def test_who_resumes_what_does_not_stand_still_keeps_the_old_version_no_longer() -> None:
    kept = at(Phase.KEEPING_OLD)
    assert state.resume(kept, NOON + timedelta(hours=1), actor="omar").since == kept.since


def test_promoting_ends_the_old_version_once() -> None:
    retiring = state.promote(at(Phase.KEEPING_OLD), NOON, actor="omar")
    assert (retiring.phase, retiring.unwritten[-1].actor) == (Phase.RETIRING, "omar")
    assert state.promote(retiring, NOON, actor="omar") == retiring
    with pytest.raises(IllegalMove, match="the old version goes"):
        state.abort(retiring, "too late", NOON, actor="omar")


def test_promoting_skips_what_is_left_of_the_steps() -> None:
    paused = state.pause(at(Phase.BAKING), "lunch", NOON, actor="omar")
    promoted = state.promote(paused, NOON, actor="omar", override="the bank waits")
    assert (promoted.override, promoted.unwritten[-1].reason) == ("the bank waits",) * 2
    assert (promoted.phase, promoted.weight, promoted.paused) == (Phase.SHIFTING, 100, None)
    promoted = state.advance(promoted, NOON)
    assert promoted.phase is Phase.PROMOTING
    following = state.advance(promoted, NOON)
    assert not following.hurried, "the next service takes its time"


def test_an_override_is_kept_and_recorded() -> None:
    resumed = state.resume(
        at(Phase.BAKING, paused=True), NOON, actor="omar", override="the bank waits"
    )
    assert resumed.override == "the bank waits"
    assert resumed.unwritten[-1].reason == "the bank waits"


@settings(max_examples=60, deadline=None)
@given(names=st.lists(st.sampled_from(list(MOVES)), max_size=60))
def test_any_way_may_be_gone_and_then_finished(names: list[str]) -> None:
    rollout = rollout_of("auth-service", "booking-service", policy=QUICK)
    for name in names:
        before = rollout
        try:
            rollout = MOVES[name](rollout)
        except IllegalMove:
            continue
        assert rollout == before or rollout.revision > before.revision
        assert rollout.change >= before.change
        if rollout.phase is Phase.ABORTING:
            assert rollout.weight == 0
        elif rollout.weight > before.weight:
            assert rollout.phase is Phase.SHIFTING
        assert Rollout.model_validate_json(rollout.model_dump_json(by_alias=True)) == rollout
    was_aborted = rollout.phase in (Phase.ABORTING, Phase.ABORTED)
    if not rollout.ended:
        *_, (service, phase, _) = through(
            state.resume(rollout, NOON + timedelta(hours=1), actor="omar")
        )
        assert service == "booking-service" or was_aborted
        assert phase is (Phase.ABORTED if was_aborted else Phase.DONE)
