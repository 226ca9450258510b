"""Row `sustained`: bookings a second through the edge, for a minute without a fault.

First by themselves; then again, while their events are published and handled by a worker and a
consumer on the same machine.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import cpu, wrk
from bench.edges import lifted_edge
from bench.ledger import Ledger
from bench.listener import Listener, Outbox, unpublished
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage

SECONDS = 60.0
WARM_UP_SECONDS = 1.0
ALONE = "booking.sustained"
WITH_EVENTS = "booking.sustained.with_events"
_EACH_SECOND = """
    SELECT count(*) FROM bookings WHERE created_at >= $1
    GROUP BY floor(extract(epoch FROM created_at - $1))
    ORDER BY floor(extract(epoch FROM created_at - $1))
"""


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One long load: bookings a second, also of each second; whose seconds; seconds to drain."""

    bookings: int
    rate: float
    each_second: Sequence[int]
    spent: Mapping[str, float]
    drained: float


async def measure(stage: Stage) -> Sequence[Figure]:
    """Two long loads, checked booking by booking and event by event."""
    seconds = stage.seconds(SECONDS)
    async with lifted_edge(stage.layout, "edge-lifted") as port:
        async with unpublished(stage):
            await _booked(stage, port, WARM_UP_SECONDS)
            stage.say(f"sustained: {seconds:.0f} s")
            alone = await _booked(stage, port, seconds)
        async with Listener.of(stage) as listener, listener.at_work():
            await _booked(stage, port, WARM_UP_SECONDS, listener)
            await listener.forget()
            stage.say(f"sustained: {seconds:.0f} s with events")
            with_events = await _booked(stage, port, seconds, listener)
    return [
        *figures_of(ALONE, alone, ">= 2000"),
        *figures_of(WITH_EVENTS, with_events),
        figure(f"{WITH_EVENTS}.drained", "s", [with_events.drained]),
    ]


def figures_of(name: str, minute: Minute, goal: str | None = None) -> Sequence[Figure]:
    """Rates; and microseconds of a core that a booking costs, by who spends them, or nobody."""
    return [
        figure(f"{name}.edge", "bookings/s", [minute.rate], goal),
        figure(f"{name}.slowest_second", "bookings/s", [min(minute.each_second)]),
        *(
            figure(f"{name}.cpu.{kind}", "us/booking", [seconds / minute.bookings * 1e6])
            for kind, seconds in minute.spent.items()
        ),
    ]


async def _booked(
    stage: Stage, port: int, seconds: float, listener: Listener | None = None
) -> Minute:
    """Book for so long; with a listener, until every event has had its effect once."""
    async with stage.ledger() as ledger:
        outbox = Outbox(connection=ledger.connection, began=ledger.began)
        before = cpu.spent()
        load = await wrk.run(port, wrk.Plan.of_bookings(stage.bookings()), seconds=seconds)
        spent, ended = cpu.between(before, cpu.spent()), time.monotonic()
        if listener is not None:
            await listener.caught_up(outbox)
        drained = time.monotonic() - ended
        await ledger.settle(load.answered, sent=load.sent)
        if listener is not None:
            await listener.caught_up(outbox)
            await listener.require_once(await outbox.events())
        return Minute(
            bookings=load.right,
            rate=load.rate,
            each_second=await _each_second(ledger),
            spent=spent,
            drained=drained,
        )


async def _each_second(ledger: Ledger) -> Sequence[int]:
    """How many bookings fell into each whole second."""
    result = await ledger.connection.exec_driver_sql(_EACH_SECOND, (ledger.began,))
    counts = [count for (count,) in result]
    return counts[:-1] or counts


ROW = Row(
    name="sustained",
    about="POST /v1/booking through the edge for a minute without a fault, also with its events",
    measure=measure,
)
