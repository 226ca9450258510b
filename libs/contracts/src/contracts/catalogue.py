"""Every event of the platform by its type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts import booking, fleet, payment, positions, trips
from contracts.events import Event

_ALL: Final = (
    *booking.EVENTS,
    *trips.EVENTS,
    *fleet.EVENTS,
    *positions.EVENTS,
    *payment.EVENTS,
)

EVENTS: Final[Mapping[str, Event]] = MappingProxyType({event.type: event for event in _ALL})
