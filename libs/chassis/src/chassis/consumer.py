"""The consumer: takes events from its queue and lets each have its effect once.

A service says what it consumes: `HANDLERS = {event type: async function of session and event}`. A
handler works in the session it is given and never commits. It checks the event's data by the model
of the type; pydantic's `ValidationError` means that this event will never do.

A batch is handled in one transaction together with its notes in the inbox. If anything in it goes
wrong, all of it is rolled back, and each event has a transaction of its own. Only after the commit
the bus is told. So a consumer may be killed at any moment: what wasn't committed comes again, and
what was is found in the inbox.
"""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Histogram
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis import inbox
from chassis.bus import Bus, Delivery
from chassis.db import Database
from chassis.dead_letters import (
    DeadLetter,
    Reason,
    claim_replay,
    describe,
    park,
    put_back,
    resolve,
)
from chassis.errors import Unavailable
from chassis.events import CloudEvent, Handler
from chassis.worker import retry_delay

logger = logging.getLogger(__name__)

BATCH_SIZE: Final = 32
WAIT_SECONDS: Final = 1.0
VISIBILITY_SECONDS: Final = 30.0
ATTEMPTS: Final = 10
# Handed out so often and never seen to fail: it takes the process down with it.
HAND_OUTS: Final = 3 * ATTEMPTS

HANDLED: Final = Counter(
    "events_handled_total", "Events by what became of them", ["type", "outcome"]
)
LAG: Final = Histogram(
    "event_lag_seconds",
    "From an event's time to the commit of its effect",
    ["type"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)

_PROPAGATOR: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class _Arrival:
    delivery: Delivery
    event: CloudEvent


class _Refused(Exception):
    """This event can't be handled, now or later."""

    def __init__(self, reason: Reason, error: str, type: str | None = None) -> None:
        super().__init__(error)
        self.reason = reason
        self.type = type


class Consumer:
    """Handles the events of one service. Several may run at once, also in several processes."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        queue: str,
        handlers: Mapping[str, Handler],
        visibility: float = VISIBILITY_SECONDS,
    ) -> None:
        self._database = database
        self._bus = bus
        self._queue = queue
        self._handlers = handlers
        self._visibility = visibility
        self._declared = False

    async def declare(self) -> None:
        """Let the queue exist. What is published before is not for it."""
        if not self._declared:
            await self._bus.declare(self._queue, with_next_versions(self._handlers))
            self._declared = True

    async def run(self) -> bool:
        """Handle the next batch, or wait a while for one. Returns True: there may always be more.

        Raises `Unavailable` when the bus or the database is away; nothing is lost by that.
        """
        await self.declare()
        deliveries = await self._bus.receive(
            self._queue, limit=BATCH_SIZE, wait=WAIT_SECONDS, visibility=self._visibility
        )
        if not deliveries:
            return True
        arrivals: list[_Arrival] = []
        done: list[Delivery] = []
        for delivery in deliveries:
            try:
                arrivals.append(_Arrival(delivery, self._accept(delivery)))
            except _Refused as refusal:
                await self._park(delivery, refusal)
                done.append(delivery)
        done += await self._handle(arrivals)
        if done:
            await self._bus.acknowledge(self._queue, done)
        return True

    async def replay(self) -> bool:
        """Handle one dead letter whose replay was asked for; True when there was one.

        Its age is no hindrance: that it wasn't handled before is the operator's word.
        """
        async with self._database.begin() as session:
            letter = await claim_replay(session, self._queue)
            if letter is None:
                return False
            try:
                async with session.begin_nested():
                    await self._apply(session, [self._read(letter.body)])
            except _Refused as error:
                await put_back(session, letter.id, reason=error.reason, error=str(error))
            except ValidationError as error:
                await put_back(session, letter.id, reason=Reason.NONSENSE, error=describe(error))
            except Exception as error:
                # A handler is a service's own code and may raise anything.
                logger.exception("replay failed", extra={"dead_letter": str(letter.id)})
                await put_back(session, letter.id, reason=Reason.FAILED, error=describe(error))
            else:
                await resolve(session, letter.id)
        return True

    def _accept(self, delivery: Delivery) -> CloudEvent:
        """The delivered event, if it is to be handled."""
        event = self._read(delivery.body)
        if not inbox.is_remembered(event):
            raise _Refused(Reason.TOO_OLD, "It may have been handled before.", event.type)
        if delivery.attempt > HAND_OUTS:
            raise _Refused(Reason.FAILED, "It was handed out too often.", event.type)
        return event

    def _read(self, body: bytes) -> CloudEvent:
        try:
            event = CloudEvent.from_json(body)
        except ValidationError as error:
            raise _Refused(Reason.NONSENSE, describe(error)) from error
        if event.type not in self._handlers:
            raise _Refused(Reason.UNKNOWN_TYPE, f"Nothing here handles {event.type}.", event.type)
        return event

    async def _handle(self, arrivals: Sequence[_Arrival]) -> list[Delivery]:
        """What is done with; the others were given back, to come again."""
        if len(arrivals) > 1:
            try:
                await self._commit(arrivals)
            except Exception as error:
                # Whatever it was, the one that it was about finds out below, alone.
                logger.info("batch comes apart", extra={"reason": describe(error)})
            else:
                return [arrival.delivery for arrival in arrivals]
        return [arrival.delivery for arrival in arrivals if await self._handle_alone(arrival)]

    async def _handle_alone(self, arrival: _Arrival) -> bool:
        delivery, event = arrival.delivery, arrival.event
        try:
            await self._commit([arrival])
        except ValidationError as error:
            await self._park(delivery, _Refused(Reason.NONSENSE, describe(error), event.type))
        except Exception as error:
            # A handler is a service's own code and may raise anything.
            facts = {"type": event.type, "event": str(event.id), "attempt": delivery.attempt}
            away = isinstance(error, Unavailable)
            if not away and delivery.attempt >= ATTEMPTS:
                logger.exception("event parked", extra=facts)
                await self._park(delivery, _Refused(Reason.FAILED, describe(error), event.type))
                return True
            logger.warning("event put off", extra={**facts, "reason": describe(error)})
            HANDLED.labels(event.type, "put_off").inc()
            await self._bus.release(self._queue, [delivery], delay=retry_delay(delivery.attempt))
            return False
        return True

    async def _commit(self, arrivals: Sequence[_Arrival]) -> None:
        async with self._database.begin() as session:
            fresh = await self._apply(session, [arrival.event for arrival in arrivals])
        now = datetime.now(UTC)
        for event in fresh:
            HANDLED.labels(event.type, "done").inc()
            LAG.labels(event.type).observe(max(0.0, (now - event.time).total_seconds()))
        new = {id(event) for event in fresh}
        for arrival in arrivals:
            if id(arrival.event) not in new:
                HANDLED.labels(arrival.event.type, "repeated").inc()

    async def _apply(
        self, session: AsyncSession, events: Sequence[CloudEvent]
    ) -> Sequence[CloudEvent]:
        """Let those that are new have their effect in this transaction; these."""
        fresh = await inbox.note(session, events)
        for event in fresh:
            with _in_trace_of(event):
                await self._handlers[event.type](session, event)
                await session.flush()
        return fresh

    async def _park(self, delivery: Delivery, refusal: _Refused) -> None:
        letter = DeadLetter(
            body=delivery.body,
            type=refusal.type,
            reason=refusal.reason,
            error=str(refusal),
            attempts=delivery.attempt,
        )
        async with self._database.begin() as session:
            await park(session, self._queue, letter)
        known = refusal.type if refusal.type in self._handlers else None
        HANDLED.labels(known or "other", "parked").inc()
        logger.warning("event parked", extra={"reason": refusal.reason.value, "type": refusal.type})


def with_next_versions(types: Mapping[str, Handler]) -> frozenset[str]:
    """These event types and the next major version of each.

    Nobody here can handle that one yet, but it must wait among the dead letters until somebody can.
    """
    following: set[str] = set()
    for name in types:
        stem, _, version = name.rpartition(".v")
        following.add(f"{stem}.v{int(version) + 1}")
    return frozenset(types) | following


@contextmanager
def _in_trace_of(event: CloudEvent) -> Generator[None]:
    """Events that a handler writes belong to the trace of the one that it handles."""
    carrier = {} if event.traceparent is None else {"traceparent": event.traceparent}
    token = context.attach(_PROPAGATOR.extract(carrier, context.Context()))
    try:
        yield
    finally:
        context.detach(token)
