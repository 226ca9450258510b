"""What the catalogue says that booking receives is what booking handles."""

from booking.events import HANDLERS
from contracts.catalogue import EVENTS

RECEIVED = {event.type for event in EVENTS.values() if "booking" in event.receivers}


def test_what_is_said_to_be_received_is_handled_and_nothing_else() -> None:
    assert HANDLERS.keys() == RECEIVED
