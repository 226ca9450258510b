"""Row `sustained`: bookings a second through the edge, for a minute without a fault.

Meanwhile their events are published and handled, by a worker and a consumer on the same machine.
"""

import time
from collections.abc import Mapping, Sequence

from bench import cpu, wrk
from bench.edges import lifted_edge
from bench.ledger import Ledger
from bench.listener import Listener, Outbox
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage

SECONDS = 60.0
WARM_UP_SECONDS = 1.0
_EACH_SECOND = """
    SELECT count(*) FROM bookings WHERE created_at >= $1
    GROUP BY floor(extract(epoch FROM created_at - $1))
    ORDER BY floor(extract(epoch FROM created_at - $1))
"""


async def measure(stage: Stage) -> Sequence[Figure]:
    """One long load, checked booking by booking and event by event."""
    async with (
        lifted_edge(stage.layout, "edge-lifted") as port,
        Listener.of(stage) as listener,
        listener.at_work(),
    ):
        async with stage.ledger() as ledger:
            plan = wrk.Plan.of_bookings(stage.bookings())
            load = await wrk.run(port, plan, seconds=WARM_UP_SECONDS)
            await ledger.settle(load.answered, sent=load.sent)
            await listener.caught_up(Outbox(connection=ledger.connection, began=ledger.began))
        await listener.forget()
        seconds = stage.seconds(SECONDS)
        stage.say(f"sustained: {seconds:.0f} s")
        async with stage.ledger() as ledger:
            plan = wrk.Plan.of_bookings(stage.bookings())
            before = cpu.spent()
            load = await wrk.run(port, plan, seconds=seconds)
            spent, ended = cpu.between(before, cpu.spent()), time.monotonic()
            outbox = Outbox(connection=ledger.connection, began=ledger.began)
            await listener.caught_up(outbox)
            drained = time.monotonic() - ended
            await ledger.settle(load.answered, sent=load.sent)
            await listener.caught_up(outbox)
            await listener.require_once(await outbox.events())
            each_second = await _each_second(ledger)
    return [
        *figures_of(spent, bookings=load.right),
        figure("booking.sustained.edge", "bookings/s", [load.rate], ">= 2000"),
        figure("booking.sustained.slowest_second", "bookings/s", [min(each_second)]),
        figure("booking.sustained.drained", "s", [drained]),
    ]


def figures_of(spent: Mapping[str, float], *, bookings: int) -> Sequence[Figure]:
    """Microseconds of a core that a booking costs, by who spends them; what was left is idle."""
    return [
        figure(f"booking.sustained.cpu.{kind}", "us/booking", [seconds / bookings * 1e6])
        for kind, seconds in spent.items()
    ]


async def _each_second(ledger: Ledger) -> Sequence[int]:
    """How many bookings fell into each whole second."""
    result = await ledger.connection.exec_driver_sql(_EACH_SECOND, (ledger.began,))
    counts = [count for (count,) in result]
    return counts[:-1] or counts


ROW = Row(
    name="sustained",
    about="POST /v1/booking through the edge for a minute without a fault",
    measure=measure,
)
