"""What of a booking may still change: when it is fetched and brought, whom to call, what to heed.

Pure rules over the columns of `Arrangement`. None of them moves the price; where the goods go, and
how much, does, and is agreed once.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Set
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from booking.errors import BadSchedule, NotAmendable
from booking.statuses import Status
from chassis.errors import FieldError

LONGEST_AHEAD: Final = timedelta(days=90)
LONGEST_UNDERWAY: Final = timedelta(days=30)
LONGEST_INSTRUCTIONS: Final = 1000

SCHEDULE: Final = frozenset({"pickup_from", "pickup_until", "deliver_by"})
_AT_PICKUP: Final = frozenset({"pickup_contact"})
_AT_DROP: Final = frozenset({"drop_contact", "instructions"})

# Once trucks are assigned their owners count on the schedule; once loaded the pickup is over.
AMENDABLE: Final[Mapping[Status, frozenset[str]]] = MappingProxyType(
    {
        Status.REQUESTED: SCHEDULE | _AT_PICKUP | _AT_DROP,
        Status.CONFIRMED: SCHEDULE | _AT_PICKUP | _AT_DROP,
        Status.ASSIGNED: _AT_PICKUP | _AT_DROP,
        Status.IN_PROGRESS: _AT_DROP,
    }
)


# How long a truck takes for a way of so many metres, from its arrival to its leaving the drop.
TripTime = Callable[[int], timedelta]


class Schedule(NamedTuple):
    """When goods are fetched and brought, as far as anybody said."""

    pickup_from: datetime | None
    pickup_until: datetime | None
    deliver_by: datetime | None

    def check(self, *, distance_m: int, takes: TripTime, at: datetime, begun: bool = False) -> None:
        """Raise `BadSchedule` with everything in it that can't be kept.

        `takes` is asked only where there is a deadline. `begun` says that the window may have begun
        before `at`: it was checked when it was new.
        """
        start, end, deadline = self
        faults = list(_window_faults(start, end, at, begun=begun))
        if deadline is not None and not faults:
            pickup, latest = max(start or at, at), (end or at) + LONGEST_UNDERWAY
            faults += _deadline_faults(deadline, pickup, takes(distance_m), latest=latest)
        if faults:
            raise BadSchedule("See errors.", errors=[fault.model_dump() for fault in faults])


class Arrangement:
    """Columns that a quote and a booking share, all of them optional.

    A contact is `{"name": …, "phone": …}`.
    """

    pickup_from: Mapped[datetime | None]
    pickup_until: Mapped[datetime | None]
    deliver_by: Mapped[datetime | None]
    pickup_contact: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    drop_contact: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    instructions: Mapped[str | None] = mapped_column(Text)

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.pickup_from, self.pickup_until, self.deliver_by)


ARRANGED: Final = tuple(Arrangement.__annotations__)


def arrangement_checks() -> tuple[CheckConstraint, ...]:
    """The constraints of `Arrangement`."""
    return (
        CheckConstraint(
            "(pickup_from IS NULL) = (pickup_until IS NULL) AND pickup_until > pickup_from",
            name="pickup_window",
        ),
        CheckConstraint("deliver_by > COALESCE(pickup_from, created_at)", name="deliver_by"),
        CheckConstraint(
            "jsonb_typeof(pickup_contact) = 'object' AND jsonb_typeof(drop_contact) = 'object'",
            name="contacts",
        ),
        CheckConstraint(
            f"char_length(instructions) BETWEEN 1 AND {LONGEST_INSTRUCTIONS}", name="instructions"
        ),
    )


def check_amendable(status: Status, changed: Set[str]) -> None:
    """Raise `NotAmendable` unless all of these may change in this status."""
    fixed = sorted(changed - AMENDABLE.get(status, frozenset()))
    if fixed:
        raise NotAmendable(
            f"A booking that is {status} keeps its {', '.join(fixed)}.",
            status_now=status,
            fields=fixed,
        )


def _window_faults(
    start: datetime | None, end: datetime | None, at: datetime, *, begun: bool
) -> Iterator[FieldError]:
    if start is None or end is None:
        if (start is None) != (end is None):
            missing = "pickup_from" if start is None else "pickup_until"
            yield _fault(missing, "is missing: a window has both ends")
        return
    if start < at and not begun:
        yield _fault("pickup_from", "is past")
    if end <= at:
        yield _fault("pickup_until", "is past")
    if end <= start:
        yield _fault("pickup_until", "is not after pickup_from")
    if end > at + LONGEST_AHEAD:
        yield _fault("pickup_until", f"is more than {LONGEST_AHEAD.days} days ahead")


def _deadline_faults(
    deadline: datetime, pickup: datetime, takes: timedelta, *, latest: datetime
) -> Iterator[FieldError]:
    if deadline < pickup + takes:
        # Rounded up, so that it is accepted.
        soonest = pickup + takes + timedelta(seconds=59, microseconds=999_999)
        hours = math.ceil(takes / timedelta(hours=1))
        yield _fault(
            "deliver_by",
            f"is before {soonest:%Y-%m-%dT%H:%MZ}, the soonest:"
            f" it takes {hours} hours from the truck's arrival to the end of unloading",
        )
    if deadline > latest:
        days = LONGEST_UNDERWAY.days
        yield _fault("deliver_by", f"is more than {days} days after the pickup")


def _fault(field: str, message: str) -> FieldError:
    return FieldError(pointer=f"/{field}", message=message, code="schedule")
