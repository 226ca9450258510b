"""A bus in memory, which does as it is told."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from chassis.bus import Backlog, BusUnavailable, Delivery, EventTooLarge
from chassis.events import CloudEvent


@dataclass
class Message:
    body: bytes
    visible_at: float = 0.0
    attempts: int = 0
    receipt: str = ""


@dataclass
class FakeBus:
    """`away` makes it unavailable; what `refuses` is true for it doesn't take."""

    away: bool = False
    refuses: Callable[[CloudEvent], bool] = lambda event: False
    published: list[CloudEvent] = field(default_factory=list[CloudEvent])
    queues: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    messages: dict[str, list[Message]] = field(default_factory=dict[str, list[Message]])
    delays: list[float] = field(default_factory=list[float])
    receipts: "count[int]" = field(default_factory=count)

    async def declare(self, queue: str, types: frozenset[str]) -> None:
        self._answer()
        self.queues[queue] = types
        self.messages.setdefault(queue, [])

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        self._answer()
        for event in events:
            if self.refuses(event):
                raise EventTooLarge(event, 300_000)
        self.published += events
        for queue, types in self.queues.items():
            self.put(queue, *(event.to_json() for event in events if event.type in types))

    def put(self, queue: str, *bodies: bytes) -> None:
        """Put bodies into a queue as they are."""
        self.messages.setdefault(queue, []).extend(Message(body) for body in bodies)

    async def receive(
        self, queue: str, *, limit: int, wait: float, visibility: float
    ) -> Sequence[Delivery]:
        self._answer()
        await asyncio.sleep(0 if self.messages[queue] else min(wait, 0.01))
        now = time.monotonic()
        ready = [message for message in self.messages[queue] if message.visible_at <= now][:limit]
        for message in ready:
            message.visible_at = now + visibility
            message.attempts += 1
            message.receipt = str(next(self.receipts))
        return [
            Delivery(body=message.body, attempt=message.attempts, receipt=message.receipt)
            for message in ready
        ]

    async def acknowledge(self, queue: str, deliveries: Sequence[Delivery]) -> None:
        self._answer()
        done = {delivery.receipt for delivery in deliveries}
        self.messages[queue] = [m for m in self.messages[queue] if m.receipt not in done]

    async def release(self, queue: str, deliveries: Sequence[Delivery], *, delay: float) -> None:
        self._answer()
        self.delays.append(delay)
        void = {delivery.receipt for delivery in deliveries}
        for message in self.messages[queue]:
            if message.receipt in void:
                # At once: tests have no time for the delay, and look at `delays` instead.
                message.visible_at = 0.0

    async def backlog(self, queue: str) -> Backlog:
        self._answer()
        return Backlog(waiting=len(self.messages[queue]), oldest_seconds=1.5)

    def _answer(self) -> None:
        if self.away:
            raise BusUnavailable
