"""Which schedules can be kept, and what may change when."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.arrangements import AMENDABLE, ARRANGED, Schedule, check_amendable
from booking.errors import BadSchedule, NotAmendable
from booking.pace import AT_BOTH_ENDS, trip_time
from booking.statuses import Status

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAR = 600_000  # metres
KM_PER_DAY = 300
TAKES = 2 * DAY + AT_BOTH_ENDS


def takes(distance_m: int) -> timedelta:
    return trip_time(distance_m, km_per_day=KM_PER_DAY)


def faults(schedule: Schedule, *, begun: bool = False) -> list[tuple[str, str]]:
    try:
        schedule.check(distance_m=FAR, takes=takes, at=NOW, begun=begun)
    except BadSchedule as error:
        found = cast("list[dict[str, str]]", error.extensions["errors"])
        return [(fault["pointer"][1:], fault["message"]) for fault in found]
    return []


def at(
    start: timedelta | None, end: timedelta | None, deadline: timedelta | None = None
) -> Schedule:
    return Schedule(*(None if each is None else NOW + each for each in (start, end, deadline)))


@pytest.mark.parametrize(
    "schedule",
    [
        at(None, None),
        at(None, None, TAKES),
        at(timedelta(), HOUR),
        at(DAY, 2 * DAY),
        at(DAY, 90 * DAY),
        at(DAY, 2 * DAY, DAY + TAKES),
        at(DAY, 2 * DAY, 32 * DAY),
    ],
)
def test_can_be_kept(schedule: Schedule) -> None:
    assert not faults(schedule)


@pytest.mark.parametrize(
    ("schedule", "field", "message"),
    [
        (at(DAY, None), "pickup_until", "is missing"),
        (at(None, DAY), "pickup_from", "is missing"),
        (at(-HOUR, DAY), "pickup_from", "is past"),
        (at(-2 * HOUR, -HOUR), "pickup_until", "is past"),
        (at(DAY, DAY), "pickup_until", "is not after"),
        (at(2 * DAY, DAY), "pickup_until", "is not after"),
        (at(DAY, 90 * DAY + timedelta(seconds=1)), "pickup_until", "90 days"),
        (at(None, None, TAKES - timedelta(seconds=1)), "deliver_by", "soonest"),
        (at(DAY, 2 * DAY, 3 * DAY), "deliver_by", "before 2026-11-27T21:00Z, the soonest"),
        (at(DAY, 2 * DAY, 3 * DAY), "deliver_by", "takes 60 hours"),
        (at(None, None, -DAY), "deliver_by", "soonest"),
        (at(DAY, 2 * DAY, 33 * DAY), "deliver_by", "30 days"),
        (at(None, None, 31 * DAY), "deliver_by", "30 days"),
    ],
)
def test_cannot_be_kept(schedule: Schedule, field: str, message: str) -> None:
    assert any(named == field and message in said for named, said in faults(schedule))


def test_a_window_that_was_checked_may_have_begun_but_not_ended() -> None:
    assert not faults(at(-DAY, HOUR), begun=True)
    assert not faults(at(-DAY, HOUR, TAKES), begun=True)
    assert faults(at(-DAY, HOUR, TAKES - HOUR), begun=True)
    assert faults(at(-DAY, -HOUR), begun=True)


times = st.none() | st.timedeltas(-3 * DAY, 150 * DAY)


@given(start=times, end=times, deadline=times)
def test_what_passes_can_be_driven(
    start: timedelta | None, end: timedelta | None, deadline: timedelta | None
) -> None:
    schedule = at(start, end, deadline)
    if faults(schedule):
        return
    if schedule.pickup_from is not None:
        assert schedule.pickup_until is not None
        assert NOW <= schedule.pickup_from < schedule.pickup_until <= NOW + 90 * DAY
    if schedule.deliver_by is not None:
        assert schedule.deliver_by >= (schedule.pickup_from or NOW) + TAKES


def test_what_may_change_grows_less_on_the_way() -> None:
    allowed = [
        AMENDABLE.get(status, frozenset())
        for status in (
            Status.REQUESTED,
            Status.CONFIRMED,
            Status.ASSIGNED,
            Status.IN_PROGRESS,
            Status.DELIVERED,
        )
    ]
    assert allowed[0] == set(ARRANGED)
    assert all(later <= earlier for earlier, later in pairwise(allowed))
    assert not allowed[-1]


def test_a_refusal_names_what_is_fixed() -> None:
    check_amendable(Status.ASSIGNED, {"instructions"})
    with pytest.raises(NotAmendable) as refused:
        check_amendable(Status.ASSIGNED, {"instructions", "pickup_until", "deliver_by"})
    assert refused.value.extensions["fields"] == ["deliver_by", "pickup_until"]
