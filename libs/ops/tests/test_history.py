"""Counters over time: what came between two moments, whatever began anew in between."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.rollout.metrics.history import COARSE_SECONDS, FINE_SECONDS, History, Totals

from .windows import AT

BOUNDS = (10.0, 100.0)
NOTHING = Totals(0, 0, (0, 0, 0))


def said(requests: int) -> Totals:
    return Totals(requests, requests // 2, (0, requests, 0))


@st.composite
def steps(draw: st.DrawFn) -> tuple[int, bool]:
    """How many requests came, and whether the counter began anew before them."""
    came = draw(st.integers(0, 100))
    return came, draw(st.booleans())


@settings(max_examples=30)
@given(st.lists(steps(), min_size=1, max_size=30), st.integers(0, 29))
def test_a_window_has_what_came_in_it(came: list[tuple[int, bool]], first: int) -> None:
    history = History(BOUNDS)
    counter = 0
    true: list[int] = []
    for number, (more, anew) in enumerate(came):
        # One that has counted more than before since it began anew can't be told from the old one.
        counter = more if anew and more < counter else counter + more
        true.append(0 if number == 0 else more)
        found = {("a-blue", "a-blue-1"): said(counter)}
        history.add(AT + timedelta(seconds=number), found)
    first = min(first, len(came) - 1)
    window = history.window("a-blue", len(came) - 1 - first)
    assert window is not None
    assert window.requests == sum(true[first + 1 :])
    assert window.counts[1] == window.requests
    assert window.since == AT + timedelta(seconds=first)
    assert window.until == AT + timedelta(seconds=len(came) - 1)


def test_processes_come_and_go() -> None:
    history = History(BOUNDS)
    one, two = ("a-green", "a-green-1"), ("a-green", "a-green-2")
    assert history.window("a-green", 60) is None
    for number, found in enumerate(
        [{}, {one: said(4)}, {one: said(6), two: said(10)}, {two: said(11)}, {two: said(11)}]
    ):
        history.add(AT + timedelta(seconds=number), found)
    window = history.window("a-green", 60)
    assert window is not None
    assert window.requests == 6 + 11
    history.add(AT + timedelta(seconds=5), {})
    assert history.window("a-green", 60) is None


def test_what_was_counted_before_anybody_looked_is_in_no_window() -> None:
    history = History(BOUNDS)
    for number in range(2):
        history.add(AT + timedelta(seconds=number), {("a-blue", "a-blue-1"): said(1_000)})
    window = history.window("a-blue", 60)
    assert window is not None
    assert (window.requests, sum(window.counts)) == (0, 0)


@settings(max_examples=3, deadline=None)
@given(st.integers(5, 20))
def test_a_day_is_kept_in_little_and_recent_minutes_in_full(period: int) -> None:
    history = History(BOUNDS)
    number = 30_000 // period
    for turn in range(number):
        at = AT + timedelta(seconds=turn * period)
        history.add(at, {("a-blue", "a-blue-1"): said(turn)})
    kept = FINE_SECONDS / period + 30_000 / (COARSE_SECONDS - period) + 10
    assert len(history) <= kept
    for seconds in (10 * period, FINE_SECONDS, 10_000):
        window = history.window("a-blue", seconds)
        assert window is not None
        asked = int(seconds // period)
        missing = asked - window.requests
        assert 0 <= missing <= (0 if seconds <= FINE_SECONDS else COARSE_SECONDS / period + 1)
