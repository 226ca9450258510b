"""What the catalogue says that booking receives is what booking handles."""

from booking.events import HANDLERS
from contracts.catalogue import EVENTS
from contracts.positions import TRUCK_POSITION_SAMPLED

RECEIVED = {event.type for event in EVENTS.values() if "booking" in event.receivers}
# Nothing looks for the nearest truck yet.
TO_COME = {TRUCK_POSITION_SAMPLED}


def test_nothing_is_handled_that_is_not_said_to_be_received() -> None:
    assert HANDLERS.keys() <= RECEIVED


def test_everything_is_handled_that_is_said_to_be_received() -> None:
    assert RECEIVED - HANDLERS.keys() <= TO_COME
