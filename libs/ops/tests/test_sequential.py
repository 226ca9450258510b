"""The test that may look at any time: how often it blames the innocent, how soon the guilty."""

import math
import random
from collections.abc import Iterator
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.rollout.analysis import LIMITS
from ops.rollout.sequential import Trials, log_evidence

STEPS = (0.01, 0.10, 0.25, 0.50)
BAKE = 300.0
RATE = 100.0
ENOUGH = -math.log(LIMITS.false_alarm)

totals = st.integers(0, 10**9)
shares = st.floats(0, 1)


@st.composite
def trials(draw: st.DrawFn) -> Trials:
    total = draw(totals)
    return Trials(total, math.floor(total * draw(shares)))


def failures(rng: random.Random, weight: float, new: float, old: float) -> Iterator[float]:
    """When requests fail, in seconds: below 0 for the old version's."""
    at = 0.0
    of_new, of_old = RATE * weight * new, RATE * (1 - weight) * old
    while True:
        at += rng.expovariate(of_new + of_old)
        yield at if rng.random() * (of_new + of_old) < of_new else -at


def blamed_at(
    rng: random.Random, weight: float, *, new: float, old: float, until: float
) -> float | None:
    """When a look after every failure, which is where evidence grows, first blames the new one."""
    hits = [0, 0]
    for at in failures(rng, weight, new, old):
        if abs(at) > until:
            return None
        hits[at < 0] += 1
        if at < 0 or hits[0] < LIMITS.few_failures:
            continue
        seen = [
            Trials(max(round(RATE * share * at), count), count)
            for share, count in zip((weight, 1 - weight), hits, strict=True)
        ]
        worse = seen[0].rate > LIMITS.negligible_error_rate
        if worse and log_evidence(*seen, tolerated=LIMITS.tolerated_ratio) >= ENOUGH:
            return at


def test_equals_are_rarely_blamed() -> None:
    rng = random.Random(1)
    bakes = 1000
    blamed = sum(
        any(
            blamed_at(rng, weight, new=0.001, old=0.001, until=BAKE) is not None for weight in STEPS
        )
        for _ in range(bakes)
    )
    # Below 1 % of whole rollouts, and so that chance doesn't hide twice as many.
    assert blamed / bakes < 0.005, blamed


@pytest.mark.parametrize(
    ("weight", "requests"), [(0.01, 600), (0.10, 900), (0.25, 1500), (0.50, 3000)]
)
def test_two_per_cent_are_found_soon(weight: float, requests: int) -> None:
    """Nine times in ten within so many requests of the new version, a fortieth of them failed."""
    rng = random.Random(2)
    found = sorted(
        blamed_at(rng, weight, new=0.02, old=0.001, until=10_000) or math.inf for _ in range(200)
    )
    seconds = found[180]
    assert seconds * RATE * weight <= requests
    assert median(found) < seconds


def test_two_per_cent_beside_none_are_found_at_the_fourth_failure() -> None:
    for weight in STEPS[:2]:
        share = Trials(200, 4), Trials(round(200 * (1 - weight) / weight), 0)
        assert log_evidence(*share, tolerated=LIMITS.tolerated_ratio) >= ENOUGH


@settings(max_examples=40)
@given(trials(), trials(), st.floats(1, 3))
def test_it_never_fails_and_says_nothing_without_requests(
    new: Trials, old: Trials, tolerated: float
) -> None:
    found = log_evidence(new, old, tolerated=tolerated)
    assert math.isfinite(found)
    assert log_evidence(new, Trials(0, 0), tolerated=tolerated) == 0
    assert log_evidence(Trials(0, 0), old, tolerated=tolerated) == 0


@settings(max_examples=40)
@given(trials(), trials())
def test_more_failures_of_the_new_one_speak_against_it_and_of_the_old_one_for_it(
    new: Trials, old: Trials
) -> None:
    found = log_evidence(new, old, tolerated=1.5)
    if new.total and old.total:
        assert log_evidence(Trials(new.total, new.hits + 1), old, tolerated=1.5) > found
        assert log_evidence(new, Trials(old.total, old.hits + 1), tolerated=1.5) < found


@settings(max_examples=40)
@given(st.floats(0.001, 0.999), st.floats(1, 3))
def test_the_next_failure_of_an_equal_changes_nothing_on_average(
    share: float, tolerated: float
) -> None:
    """A martingale: what Ville's inequality is about. `share` is that of the new version."""
    new, old = Trials(round(1e9 * share), 0), Trials(round(1e9 * (1 - share)), 0)
    odds = new.total / old.total * tolerated
    after_new = math.exp(log_evidence(Trials(new.total, 1), old, tolerated=tolerated))
    after_old = math.exp(log_evidence(new, Trials(old.total, 1), tolerated=tolerated))
    assert (odds * after_new + after_old) / (1 + odds) == pytest.approx(1)
