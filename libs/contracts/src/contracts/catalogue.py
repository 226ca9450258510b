"""Every event of the platform by its type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts import bids, booking, fleet, payment, positions, rollout, trips
from contracts.events import Event

_ALL: Final = (
    *booking.EVENTS,
    *bids.EVENTS,
    *trips.EVENTS,
    *fleet.EVENTS,
    *positions.EVENTS,
    *payment.EVENTS,
    *rollout.EVENTS,
)

EVENTS: Final[Mapping[str, Event]] = MappingProxyType({event.type: event for event in _ALL})


def as_markdown() -> str:
    """The catalogue as a Markdown table whose links begin in `docs/events`."""
    heads = ("Event", "Sent when", "By", "To")
    lines = [heads, tuple("---" for _ in heads), *(_row(event) for event in EVENTS.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(event: Event) -> tuple[str, ...]:
    name = event.type.removeprefix("in.ubertruck.")
    link = f"[`{name}`](schemas/{event.type}.json)"
    return (link, event.summary, event.sender, ", ".join(event.receivers))
