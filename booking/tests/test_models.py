from datetime import UTC, datetime
from itertools import product

import pytest

from booking.errors import IllegalTransition
from booking.models import Booking
from booking.statuses import TRANSITIONS, Status
from chassis.ids import new_id

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 24, tzinfo=UTC)

CANCELLABLE = {Status.REQUESTED, Status.CONFIRMED, Status.ASSIGNED}
FINAL = {Status.REJECTED, Status.COMPLETED, Status.CANCELLED, Status.EXPIRED}
WAY = [
    Status.REQUESTED,
    Status.CONFIRMED,
    Status.ASSIGNED,
    Status.IN_PROGRESS,
    Status.DELIVERED,
    Status.COMPLETED,
]


def booking(status: Status) -> Booking:
    return Booking(id=new_id(), status=status, version=3, updated_at=BEFORE)


def test_every_status_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert {status for status, ways in TRANSITIONS.items() if not ways} == FINAL
    assert {s for s, ways in TRANSITIONS.items() if Status.CANCELLED in ways} == CANCELLABLE


def test_the_whole_way() -> None:
    moving = booking(Status.REQUESTED)
    for status in WAY[1:]:
        moving.move_to(status, by="somebody", at=NOW)
    assert moving.status == Status.COMPLETED
    assert moving.version == 8


def test_a_step_is_told() -> None:
    moving = booking(Status.CONFIRMED)
    change = moving.move_to(Status.CANCELLED, by="somebody", at=NOW, reason="Rain")
    assert (moving.status, moving.version, moving.updated_at) == (Status.CANCELLED, 4, NOW)
    assert change.booking_id == moving.id
    assert (change.from_status, change.to_status) == (Status.CONFIRMED, Status.CANCELLED)
    assert (change.version, change.changed_at) == (4, NOW)
    assert (change.changed_by, change.reason) == ("somebody", "Rain")


@pytest.mark.parametrize(
    ("before", "after"), [(a, b) for a, b in product(Status, Status) if b not in TRANSITIONS[a]]
)
def test_an_illegal_step_changes_nothing(before: Status, after: Status) -> None:
    standing = booking(before)
    with pytest.raises(IllegalTransition):
        standing.move_to(after, by="somebody", at=NOW)
    assert (standing.status, standing.version, standing.updated_at) == (before, 3, BEFORE)
