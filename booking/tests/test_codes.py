from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.trips.codes import (
    MOST_FAILURES,
    VALIDITY,
    WAIT,
    Code,
    CodeState,
    Outcome,
    Purpose,
    Tried,
    attempt,
    issue,
    state_of,
)

KEY = b"k" * 32
TRIP = UUID("01938e6b-10aa-7d3e-8c5f-5a6b7c8d9e0f")
OTHER = UUID("01938e6b-10aa-7d3e-8c5f-000000000000")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def issued() -> tuple[str, Code]:
    return issue(key=KEY, trip_id=TRIP, purpose=Purpose.PICKUP, at=NOON)


def tried(
    code: Code,
    digits: str,
    *,
    at: datetime = NOON,
    key: bytes = KEY,
    trip: UUID = TRIP,
    purpose: Purpose = Purpose.PICKUP,
) -> Tried:
    return attempt(code, digits, key=key, trip_id=trip, purpose=purpose, at=at)


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 1_000_000:06d}"


def blocked() -> tuple[str, Code]:
    digits, code = issued()
    for _ in range(MOST_FAILURES):
        code = tried(code, wrong(digits)).code
    return digits, code


def test_a_code_has_six_digits_and_opens_once() -> None:
    digits, code = issued()
    assert len(digits) == 6
    assert digits.isdecimal()
    first = tried(code, digits)
    assert first.outcome is Outcome.ACCEPTED
    again = tried(first.code, digits)
    assert (again.outcome, again.code) == (Outcome.USED, first.code)


def test_the_digits_are_not_kept() -> None:
    digits, code = issued()
    assert digits.encode() not in code.digest
    assert tried(code, digits, key=b"other" * 8).outcome is Outcome.WRONG


def test_a_code_is_of_one_trip_and_one_purpose() -> None:
    digits, code = issued()
    assert tried(code, digits, trip=OTHER).outcome is Outcome.WRONG
    assert tried(code, digits, purpose=Purpose.DROP).outcome is Outcome.WRONG


def test_few_tries_then_a_wait() -> None:
    digits, code = issued()
    for left in range(MOST_FAILURES - 1, -1, -1):
        result = tried(code, wrong(digits))
        assert (result.outcome, result.tries_left) == (Outcome.WRONG, left)
        code = result.code
    # Not even the right one, and asking doesn't lengthen the wait.
    for minutes in (0, 14):
        result = tried(code, digits, at=NOON + timedelta(minutes=minutes))
        assert (result.outcome, result.code) == (Outcome.BLOCKED, code)
    assert tried(code, digits, at=NOON + WAIT).outcome is Outcome.ACCEPTED


def test_after_the_wait_the_tries_are_counted_anew() -> None:
    digits, code = blocked()
    result = tried(code, wrong(digits), at=NOON + WAIT)
    assert (result.outcome, result.tries_left) == (Outcome.WRONG, MOST_FAILURES - 1)


@pytest.mark.parametrize(
    ("late", "outcome"),
    [(timedelta(microseconds=-1), Outcome.ACCEPTED), (timedelta(), Outcome.EXPIRED)],
)
def test_a_code_ends(late: timedelta, outcome: Outcome) -> None:
    digits, code = issued()
    assert tried(code, digits, at=NOON + VALIDITY + late).outcome is outcome


@pytest.mark.parametrize(
    "nonsense", ["", "1", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "\x00"]
)
def test_nonsense_is_a_wrong_code(nonsense: str) -> None:
    _, code = issued()
    assert tried(code, nonsense).outcome is Outcome.WRONG


@given(st.lists(st.tuples(st.integers(0, 3600), st.booleans()), max_size=60))
def test_nobody_gets_more_tries_than_allowed(moves: list[tuple[int, bool]]) -> None:
    digits, code = issued()
    at = NOON
    looked_at: list[datetime] = []
    for seconds, right in moves:
        at += timedelta(seconds=seconds)
        result = tried(code, digits if right else wrong(digits), at=at)
        code = result.code
        if result.outcome is Outcome.WRONG:
            looked_at.append(at)
        if result.outcome is Outcome.ACCEPTED:
            assert right
            break
    for first, last in zip(looked_at, looked_at[MOST_FAILURES:], strict=False):
        assert last - first >= WAIT


def test_how_a_code_stands() -> None:
    _digits, code = issued()
    assert state_of(code, at=NOON) is CodeState.ISSUED
    assert state_of(code, at=NOON + VALIDITY) is CodeState.EXPIRED
    blocked = replace(code, failures=MOST_FAILURES, blocked_until=NOON + WAIT)
    assert state_of(blocked, at=NOON) is CodeState.BLOCKED
    assert state_of(blocked, at=NOON + WAIT) is CodeState.ISSUED
    assert state_of(replace(code, used_at=NOON), at=NOON + VALIDITY) is CodeState.USED
