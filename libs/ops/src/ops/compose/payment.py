"""Stands in for the payment service until there is one: whatever is booked is paid for.

A development platform's own, like its demo people. A kill loses nothing: what isn't acknowledged is
handed out again, and booking takes the second answer for what it is.
"""

import logging
from typing import Final

from pydantic import ValidationError

from chassis.bus import Bus, Delivery
from chassis.events import CloudEvent
from contracts.booking import BOOKING_REQUESTED, BookingRequested
from ops.demo.standins import reserved

logger = logging.getLogger(__name__)

QUEUE: Final = "payment-stand-in"
WAIT_SECONDS: Final = 5.0
VISIBILITY_SECONDS: Final = 30.0
AT_ONCE: Final = 50


async def declare(bus: Bus) -> None:
    """Let events wait for us from now on."""
    await bus.declare(QUEUE, frozenset({BOOKING_REQUESTED}))


async def answer(bus: Bus, *, wait: float = WAIT_SECONDS) -> int:
    """Answer what waits, or comes within `wait` seconds; how many. Raises `BusUnavailable`."""
    deliveries = await bus.receive(QUEUE, limit=AT_ONCE, wait=wait, visibility=VISIBILITY_SECONDS)
    if deliveries:
        await bus.publish([event for one in deliveries if (event := _answer_to(one)) is not None])
        await bus.acknowledge(QUEUE, deliveries)
    return len(deliveries)


def _answer_to(delivery: Delivery) -> CloudEvent | None:
    try:
        asked = CloudEvent.from_json(delivery.body)
        booking = BookingRequested.model_validate(asked.data)
    except ValidationError as error:
        logger.warning("left out what is no booking: %s", error.errors(include_input=False))
        return None
    return reserved(
        booking_id=booking.booking_id, tenant_id=booking.tenant_id, paise=booking.price.amount
    )
