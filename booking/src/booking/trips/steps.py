"""The way of a trip, step by step: which status follows which, and by which act."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from chassis.errors import Conflict


class TripStatus(enum.StrEnum):
    """Where a trip stands."""

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    AT_PICKUP = "at_pickup"
    LOADED = "loaded"
    IN_TRANSIT = "in_transit"
    AT_DROP = "at_drop"
    DELIVERED = "delivered"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Step(enum.StrEnum):
    """What moves a trip on; the last part of its address."""

    ACCEPT = "accept"
    ARRIVE_AT_PICKUP = "arrive-at-pickup"
    LOAD = "load"
    DEPART = "depart"
    ARRIVE_AT_DROP = "arrive-at-drop"
    DELIVER = "deliver"
    CLOSE = "close"


MOVES: Final[Mapping[Step, tuple[TripStatus, TripStatus]]] = MappingProxyType(
    {
        Step.ACCEPT: (TripStatus.ASSIGNED, TripStatus.ACCEPTED),
        Step.ARRIVE_AT_PICKUP: (TripStatus.ACCEPTED, TripStatus.AT_PICKUP),
        Step.LOAD: (TripStatus.AT_PICKUP, TripStatus.LOADED),
        Step.DEPART: (TripStatus.LOADED, TripStatus.IN_TRANSIT),
        Step.ARRIVE_AT_DROP: (TripStatus.IN_TRANSIT, TripStatus.AT_DROP),
        Step.DELIVER: (TripStatus.AT_DROP, TripStatus.DELIVERED),
        Step.CLOSE: (TripStatus.DELIVERED, TripStatus.CLOSED),
    }
)
# Once there is load on a truck it has to go somewhere: then another truck takes it over.
CANCELLABLE: Final = frozenset({TripStatus.ASSIGNED, TripStatus.ACCEPTED, TripStatus.AT_PICKUP})
# The steps that may move the booking too.
MOVING_BOOKING: Final = frozenset({Step.LOAD, Step.DELIVER, Step.CLOSE})
# The goods are on the truck.
CARRYING: Final = frozenset({TripStatus.LOADED, TripStatus.IN_TRANSIT, TripStatus.AT_DROP})
SWAPPABLE: Final = frozenset({TripStatus.LOADED, TripStatus.IN_TRANSIT})


class StepOutOfOrder(Conflict):
    """The trip isn't where this step begins."""

    type = "step-out-of-order"
    title = "The trip isn't where this step begins"


def after(step: Step, status: TripStatus) -> TripStatus:
    """The status that `step` leads to; raises `StepOutOfOrder`."""
    begins, leads = MOVES[step]
    if status != begins:
        raise StepOutOfOrder(
            f"{step} begins when a trip is {begins}, and this one is {status}.",
            status_now=status,
        )
    return leads
