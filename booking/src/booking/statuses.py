"""Where a booking may stand, and where it may go from there."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class Status(enum.StrEnum):
    """Where a booking stands."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = MappingProxyType(
    {
        Status.REQUESTED: frozenset(
            {Status.CONFIRMED, Status.REJECTED, Status.CANCELLED, Status.EXPIRED}
        ),
        Status.CONFIRMED: frozenset({Status.ASSIGNED, Status.CANCELLED, Status.EXPIRED}),
        # Back to confirmed when the last truck is called off: nobody is held for it any more.
        Status.ASSIGNED: frozenset({Status.CONFIRMED, Status.IN_PROGRESS, Status.CANCELLED}),
        Status.IN_PROGRESS: frozenset({Status.DELIVERED}),
        Status.DELIVERED: frozenset({Status.COMPLETED}),
        Status.REJECTED: frozenset(),
        Status.COMPLETED: frozenset(),
        Status.CANCELLED: frozenset(),
        Status.EXPIRED: frozenset(),
    }
)
