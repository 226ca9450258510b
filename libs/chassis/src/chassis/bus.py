"""The bus: where published events wait, in a queue a consumer, until they are handled.

Delivery is at least once and in any order. A bus carries events and knows nothing of what they
mean; that effects happen once is the consumer's work, by its inbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chassis.errors import PayloadTooLarge, Unavailable
from chassis.events import CloudEvent

# SNS takes 256 KiB with the attributes; every bus refuses what that one would.
MAXIMUM_BYTES = 255 * 1024


class BusUnavailable(Unavailable):
    """The bus doesn't answer."""


class EventTooLarge(PayloadTooLarge):
    """No bus takes this event, now or later; none of its batch was published."""

    type = "event-too-large"
    title = "Event too large for the bus"

    def __init__(self, event: CloudEvent, size: int) -> None:
        super().__init__(f"{event.type} {event.id} has {size} bytes of {MAXIMUM_BYTES} at most.")
        self.event_id = event.id


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One hand-out of an event to a consumer.

    `body` is what was published, a CloudEvent as JSON; whoever else can write to the bus may have
    put nonsense there. `attempt` counts the hand-outs of this event to this queue from 1, also
    those of which nobody saw the end. `receipt` names this hand-out, and is void after its
    visibility time-out.
    """

    body: bytes
    attempt: int
    receipt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What waits in a queue: how many, those in hand included, and the age of the oldest.

    The age is 0 in an empty queue, and NaN where the bus doesn't tell it.
    """

    waiting: int
    oldest_seconds: float


class Bus(Protocol):
    """Every method raises `BusUnavailable` when the bus doesn't answer."""

    async def declare(self, queue: str, types: frozenset[str]) -> None:
        """Let a queue exist that gets events of exactly these types, from now on."""
        ...

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        """Return when all of them are kept durably. After an error some may be, and all may.

        `EventTooLarge` is raised before anything is sent.
        """
        ...

    async def receive(
        self, queue: str, *, limit: int, wait: float, visibility: float
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries; an empty sequence when none came within `wait` seconds.

        Nobody else gets them for `visibility` seconds; then they are handed out again.
        """
        ...

    async def acknowledge(self, queue: str, deliveries: Sequence[Delivery]) -> None:
        """These are done with. A void receipt is no error: whoever holds the new one goes on.

        Whether a void receipt still ends the event is the bus's affair, since what it stands for is
        done either way.
        """
        ...

    async def release(self, queue: str, deliveries: Sequence[Delivery], *, delay: float) -> None:
        """Hand these out again after `delay` seconds. A void receipt is no error."""
        ...

    async def backlog(self, queue: str) -> Backlog:
        """What waits there now, as well as the bus can tell."""
        ...


def encode(events: Sequence[CloudEvent]) -> list[bytes]:
    """The bodies of these events. Raises `EventTooLarge` at the first that no bus takes."""
    bodies = [event.to_json() for event in events]
    for event, body in zip(events, bodies, strict=True):
        if len(body) > MAXIMUM_BYTES:
            raise EventTooLarge(event, len(body))
    return bodies
