"""What a worker does for events: relay them, consume them, measure what waits.

Relay and consumer work only while this worker's colour holds the lease.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from chassis.bus import Bus
from chassis.buses import connect_bus
from chassis.consumer import Consumer
from chassis.db import Database, DatabaseUnavailable
from chassis.event_gauges import measure_queue, measure_tables
from chassis.events import Handler
from chassis.lease import RENEW_SECONDS, Lease
from chassis.relay import Relay
from chassis.settings import ServiceSettings
from chassis.worker import Job

# Short: it is most of the time that an event waits.
RELAY_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 0.2
REPLAY_SECONDS: Final = 1.0
MEASURE_SECONDS: Final = 5.0
# To count a queue of 100 000 takes most of a second.
MEASURE_QUEUE_SECONDS: Final = 30.0
# Nothing is worth waiting longer for once the database or the bus is back.
LONGEST_RETRY_SECONDS: Final = 5.0
# Less than the 30 s after which the server ends a transaction in which nothing happens.
RELAY_TIMEOUT_SECONDS: Final = 25.0

Work = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def open_backbone(
    settings: ServiceSettings, database: Database, *, service: str, handlers: Mapping[str, Handler]
) -> AsyncGenerator[Sequence[Job]]:
    """The jobs of `event_jobs` over the bus of the settings.

    At the end the lease is given up at once. Raises `BusNotConfigured`.
    """
    lease = Lease(database, colour=settings.colour)
    async with connect_bus(settings, name=f"{service}-worker") as bus:
        try:
            yield event_jobs(database, bus, lease=lease, queue=service, handlers=handlers)
        finally:
            # Without its database it ends by itself.
            with suppress(DatabaseUnavailable):
                await lease.release()


def event_jobs(
    database: Database, bus: Bus, *, lease: Lease, queue: str, handlers: Mapping[str, Handler]
) -> Sequence[Job]:
    """The jobs of a service that sends events, and handles those of `handlers` from `queue`."""
    relay = Relay(database, bus)
    consumer = Consumer(database, bus, queue=queue, handlers=handlers)

    async def relay_events() -> bool:
        # First the queue: a service may handle its own events.
        if handlers:
            await consumer.declare()
        return await relay.run()

    def job(name: str, work: Work, interval: float, *, timeout: float = 60) -> Job:
        async def run() -> bool:
            return lease.held and await work()

        return Job(
            name=name,
            interval=interval,
            run=run,
            timeout=timeout,
            longest_retry=LONGEST_RETRY_SECONDS,
        )

    jobs = [
        Job(
            name="hold-lease", interval=RENEW_SECONDS, run=lease.renew, longest_retry=RENEW_SECONDS
        ),
        Job(
            name="measure-tables",
            interval=MEASURE_SECONDS,
            run=lambda: measure_tables(database, queue=queue),
        ),
        job("relay-events", relay_events, RELAY_SECONDS, timeout=RELAY_TIMEOUT_SECONDS),
        job("requeue-events", relay.requeue, REPLAY_SECONDS),
    ]
    if handlers:
        jobs += [
            job("consume-events", consumer.run, IDLE_SECONDS),
            job("replay-events", consumer.replay, REPLAY_SECONDS),
            job("measure-queue", lambda: measure_queue(bus, queue=queue), MEASURE_QUEUE_SECONDS),
        ]
    return jobs
