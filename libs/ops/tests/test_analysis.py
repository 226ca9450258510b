"""Verdicts on new versions, beside old ones that answered over the same time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.dataplane.stats import BOUNDS
from ops.rollout.analysis import LIMITS, Look, Outcome, judge
from ops.rollout.latency import next_bound, quantile_bound, slower_than
from ops.rollout.ports import Targets, Window

from .windows import AT, drawn, look, untimed, window

GOOD = look(window(1_000), window(9_000))


def usual(rng: random.Random) -> float:
    """Milliseconds as a service has them: 20 mostly, sometimes many more."""
    return rng.lognormvariate(3, 0.6)


def usual_and_300(rng: random.Random) -> float:
    return 300 + usual(rng)


def one_in_twenty_slow(rng: random.Random) -> float:
    return usual(rng) + (300 if rng.random() < 0.05 else 0)


def test_a_version_as_good_as_the_other_is_waited_for_and_goes_on() -> None:
    assert judge(GOOD, over=False).outcome is Outcome.WAIT
    verdict = judge(GOOD, over=True)
    assert verdict.outcome is Outcome.GO_ON
    assert "0 of 1000 requests failed (0.00%)" in verdict.reason


def test_more_failures_are_bad_before_the_end() -> None:
    verdict = judge(look(window(400, 8), window(3_600, 4)), over=False)
    assert verdict.outcome is Outcome.BAD
    assert "8 of 400 requests failed (2.00%)" in verdict.reason
    assert "4 of 3600" in verdict.reason


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (window(100, 1), window(9_900)),  # one failure is chance
        (window(1_000, 2), window(9_000, 9)),
        (window(1_000_000, 500), window(9_000_000, 90)),  # less than anybody asks for
    ],
)
def test_what_is_chance_or_negligible_goes_on(new: Window, old: Window) -> None:
    assert judge(look(new, old), over=True).outcome is Outcome.GO_ON


def test_as_bad_as_the_old_one_is_waited_for_and_is_bad_in_the_end() -> None:
    both = look(window(1_000, 20), window(9_000, 180))
    assert judge(both, over=False).outcome is Outcome.WAIT
    verdict = judge(both, over=True)
    assert verdict.outcome is Outcome.BAD
    assert "less than 1.00% is asked" in verdict.reason


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        (None, window(9_000), "no fresh figures of the new version"),
        (window(1_000), None, "no fresh figures of the old version"),
        (None, None, "no fresh figures of the new version"),
        (window(99), window(9_000), "Too few requests of the new version: 99 of at least 100"),
        (window(1_000), window(99), "Too few requests of the old version"),
        (window(0), window(0), "Too few requests of the new version: 0"),
        (untimed(1_000), window(9_000), "Too few latencies of the new version: 0 of at least 100"),
        (window(1_000), untimed(9_000), "Too few latencies of the old version: 0 of at least 100"),
    ],
)
def test_what_is_missing_or_too_little_is_waited_for_and_is_bad_in_the_end(
    new: Window | None, old: Window | None, reason: str
) -> None:
    for over, outcome in ((False, Outcome.WAIT), (True, Outcome.BAD)):
        verdict = judge(look(new, old), over=over)
        assert verdict.outcome is outcome
        assert reason in verdict.reason


@pytest.mark.parametrize("answered", [3, 4, 10, 15])
def test_a_burst_is_seen_whatever_came_before(answered: int) -> None:
    before = look(window(100_000), window(900_000), recent=window(answered, 3, seconds=10))
    verdict = judge(before, over=False)
    assert verdict.outcome is Outcome.BAD
    assert f"burst of failures within 10 s: 3 of {answered}" in verdict.reason


@pytest.mark.parametrize("recent", [window(2, 2), window(16, 3), None, window(0)])
def test_no_burst(recent: Window | None) -> None:
    seen = look(window(1_000), window(9_000), recent=recent)
    assert judge(seen, over=False).outcome is Outcome.WAIT


def test_a_burst_needs_no_figures_of_the_old_version() -> None:
    seen = look(window(3, 3), None, recent=window(3, 3))
    assert judge(seen, over=False).outcome is Outcome.BAD


def test_no_ready_process_is_a_crash() -> None:
    dead = look(window(1_000), window(9_000), targets=Targets(wanted=2, running=2, ready=0))
    verdict = judge(dead, over=False)
    assert verdict.outcome is Outcome.BAD
    assert "None of 2 processes" in verdict.reason


@pytest.mark.parametrize("requests", [15, 100, 1_000])
def test_300_ms_more_are_found_after_a_few_requests(requests: int) -> None:
    seen = look(drawn(1, requests, usual_and_300), drawn(2, 2_000, usual))
    verdict = judge(seen, over=False)
    assert verdict.outcome is Outcome.BAD
    assert "Slower than before: p90 is" in verdict.reason


def test_a_slow_tail_is_found_by_p99() -> None:
    seen = look(drawn(1, 1_000, one_in_twenty_slow), drawn(2, 3_000, usual))
    assert "p99 is" in judge(seen, over=False).reason


def test_a_cold_start_is_not_slow() -> None:
    seen = look(window(209, times=[800.0] * 9), window(2_000))
    assert judge(seen, over=True).outcome is Outcome.GO_ON


def test_a_little_slower_is_not_slow() -> None:
    seen = look(drawn(1, 2_000, lambda rng: 1.2 * usual(rng)), drawn(2, 9_000, usual))
    assert judge(seen, over=True).outcome is Outcome.GO_ON


def test_equals_are_rarely_called_slow_however_often_one_looks() -> None:
    blamed = sum(_is_called_slow(random.Random(seed)) for seed in range(40))
    assert blamed == 0


def _is_called_slow(rng: random.Random) -> bool:
    """Five minutes and 60 looks: 3 requests a second, and 27 of the old version."""
    counts = {3: [0] * (len(BOUNDS) + 1), 27: [0] * (len(BOUNDS) + 1)}
    day = drawn(rng.randrange(10**6), 3_000, usual).counts
    places = range(len(day))
    for _ in range(60):
        for rate, found in counts.items():
            for place in rng.choices(places, day, k=5 * rate):
                found[place] += 1
        new, old = (
            Window(since=AT, until=AT, requests=sum(one), failures=0, bounds=BOUNDS, counts=one)
            for one in counts.values()
        )
        if judge(look(new, old), over=False).outcome is Outcome.BAD:
            return True
    return False


def test_one_who_is_slower_than_any_bound_is_found() -> None:
    seen = look(window(20, times=[90_000.0] * 20), window(2_000))
    assert "p90 is beyond the histogram" in judge(seen, over=False).reason
    nobody_is_slower_than_that = look(window(20), window(2_000, times=[90_000.0] * 2_000))
    assert judge(nobody_is_slower_than_that, over=False).outcome is Outcome.WAIT


counts = st.lists(st.integers(0, 10**6), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1).map(
    tuple
)


@st.composite
def windows(draw: st.DrawFn) -> Window | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    requests = draw(st.integers(0, 10**7))
    failures = draw(st.integers(0, requests))
    taken = draw(counts)
    return Window(
        since=AT, until=AT, requests=requests, failures=failures, bounds=BOUNDS, counts=taken
    )


targets = st.builds(Targets, wanted=st.integers(0, 5), running=st.just(1), ready=st.integers(0, 5))
looks = st.builds(Look, new=windows(), old=windows(), recent=windows(), targets=targets)


@settings(max_examples=30)
@given(looks)
def test_a_look_has_one_verdict_of_those_that_its_time_allows(seen: Look) -> None:
    before, after = judge(seen, over=False), judge(seen, over=True)
    assert before.outcome in (Outcome.WAIT, Outcome.BAD)
    assert after.outcome in (Outcome.GO_ON, Outcome.BAD)
    assert before.reason
    assert after.reason
    if before.outcome is Outcome.BAD:
        assert after == before
    if after.outcome is Outcome.GO_ON:
        assert seen.new is not None
        assert seen.old is not None
        for one in (seen.new, seen.old):
            assert min(one.requests, sum(one.counts)) >= LIMITS.minimum_requests
        assert seen.new.failures < LIMITS.few_failures or (
            seen.new.failures < LIMITS.maximum_error_rate * seen.new.requests
        )


@settings(max_examples=30)
@given(counts, st.floats(0.01, 1))
def test_a_quantile_keeps_the_share_within_it_and_none_smaller_does(
    taken: tuple[int, ...], share: float
) -> None:
    one = Window(since=AT, until=AT, requests=sum(taken), failures=0, bounds=BOUNDS, counts=taken)
    bound = quantile_bound(one, share)
    if not one.requests:
        assert bound == 0
        return
    assert slower_than(one, bound).hits <= (1 - share) * one.requests + 1e-6 * one.requests
    smaller = [each for each in BOUNDS if each < bound]
    if smaller:
        within = one.requests - slower_than(one, smaller[-1]).hits
        assert within < share * one.requests


@given(st.floats(0, 200_000))
def test_the_next_bound_is_the_first_that_is_no_smaller(at_least: float) -> None:
    found = next_bound(window(0), at_least)
    assert found >= at_least
    assert all(bound < at_least for bound in BOUNDS if bound < found)
