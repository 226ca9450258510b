"""When nothing may go further out."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.rollout.freeze import Freeze, frozen_by

NIGHT = Freeze.model_validate({"name": "night", "days": ["fri"], "from": "22:00", "until": "06:00"})
DIWALI = Freeze(name="Diwali", first=date(2026, 11, 7), last=date(2026, 11, 9))


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-11-27T16:29:59+00:00", False),  # Friday, 21:59:59 in India
        ("2026-11-27T16:30:00+00:00", True),
        ("2026-11-28T00:29:59+00:00", True),  # Saturday morning, and Friday's window
        ("2026-11-28T00:30:00+00:00", False),
        ("2026-11-28T16:30:00+00:00", False),  # Saturday night
        ("2026-11-27T00:00:00+00:00", False),  # Friday morning, and Thursday's night
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(moment: str, holds: bool) -> None:
    assert NIGHT.holds(datetime.fromisoformat(moment)) is holds


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2026-11-06T18:29:59+00:00", None),
        ("2026-11-06T18:30:00+00:00", "Diwali"),
        ("2026-11-09T18:29:59+00:00", "Diwali"),
        ("2026-11-09T18:30:00+00:00", None),
    ],
)
def test_dates_are_whole_days_of_the_zone(moment: str, name: str | None) -> None:
    assert frozen_by([DIWALI], datetime.fromisoformat(moment)) == name


def test_the_window_that_holds_is_named() -> None:
    friday_night = datetime.fromisoformat("2026-11-06T17:00:00+00:00")
    assert frozen_by([DIWALI, NIGHT], friday_night) == "night"
    assert frozen_by([], friday_night) is None


@settings(max_examples=50, deadline=None)
@given(
    begins=st.times(),
    ends=st.times(),
    moment=st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1)),  # noqa: DTZ001 - given a zone below
)
def test_a_window_and_the_rest_of_the_day_share_each_moment(
    begins: time, ends: time, moment: datetime
) -> None:
    at = moment.replace(tzinfo=UTC)
    inside = Freeze.model_validate({"name": "in", "from": begins, "until": ends})
    outside = Freeze.model_validate({"name": "out", "from": ends, "until": begins})
    if begins == ends:
        assert inside.holds(at)
    else:
        assert inside.holds(at) is not outside.holds(at)
    assert inside.holds(at + timedelta(days=1)) is inside.holds(at)
