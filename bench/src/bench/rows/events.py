"""Row `events`: from the outbox to the effect at 500 events a second, and a long outbox emptied."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bench import arrivals
from bench.errors import WrongAnswer
from bench.listener import Listener, Outbox, require_each_once
from bench.outcomes import percentile_of
from bench.processes import running, service_spec
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage
from bench.subjects.databases import prepare_database
from bench.subjects.witness import NAME
from chassis.provisioning import administrate
from contracts.booking import BOOKING_REQUESTED
from ops.services import BOOKING, WORKER_NICENESS

RATE = 500.0
SECONDS = 6.0
WARM_UP_SECONDS = 1.0
WAITING = 100_000
# For trying out: so many for each second of a round.
WAITING_A_SECOND = 5000
DATABASE = "bench_events"
RELAY = "bench-relay"

_SAMPLES = """
    SELECT jsonb_agg(to_jsonb(sample))::text
    FROM (SELECT * FROM outbox WHERE type = $1 ORDER BY occurred_at DESC LIMIT 1000) AS sample
"""
_FILL = """
    WITH samples AS MATERIALIZED (
        SELECT row_number() OVER () - 1 AS position, sample.*
        FROM jsonb_populate_recordset(NULL::outbox, $1::text::jsonb) AS sample
    )
    INSERT INTO outbox (
        id, type, source, subject, tenant_id, aggregate_version, traceparent, data, occurred_at
    )
    SELECT uuidv7(), type, source, subject, tenant_id, aggregate_version, traceparent, data,
        clock_timestamp()
    FROM generate_series(1, $2::int) AS n
    JOIN samples ON position = n % (SELECT count(*) FROM samples)
"""
_RATE = """
    SELECT (count(*) - 1) / extract(epoch FROM max(published_at) - min(published_at)) FROM outbox
"""
_MESSAGES = """
    SELECT (convert_from(body, 'UTF8')::jsonb ->> 'id')::uuid FROM messages WHERE queue = $1
"""


@dataclass(frozen=True, kw_only=True)
class Lags:
    """One round: how long each event took to its effect, sorted, and events a second."""

    seconds: Sequence[float]
    rate: float


async def measure(stage: Stage) -> Sequence[Figure]:
    """First as it goes day by day, then after the bus was away."""
    async with Listener.of(stage) as listener:
        lags = await _lags(stage, listener)
        await listener.forget()
        relayed, handled = await _drain(stage, listener)
    return figures_of(lags, relayed=relayed, handled=handled)


def figures_of(
    lags: Sequence[Lags], *, relayed: Sequence[float], handled: float
) -> Sequence[Figure]:
    """Of each round of `lags` and `relayed`; those and `handled` are events a second."""

    def milliseconds(percent: float) -> Sequence[float]:
        return [percentile_of(one.seconds, percent) * 1000 for one in lags]

    return [
        figure("events.effect.p50", "ms", milliseconds(50)),
        figure("events.effect.p99", "ms", milliseconds(99), "< 250"),
        figure("events.effect.achieved", "events/s", [one.rate for one in lags]),
        figure("events.drain.relay", "events/s", relayed, ">= 3000"),
        figure("events.drain.consumer", "events/s", [handled]),
    ]


def lags_of(happened: Mapping[UUID, datetime], committed: Mapping[UUID, float]) -> Sequence[float]:
    """Seconds from each event to the commit of its effect."""
    return [committed[event] - at.timestamp() for event, at in happened.items()]


async def _lags(stage: Stage, listener: Listener) -> Sequence[Lags]:
    async with listener.at_work():
        await _book(stage, listener, WARM_UP_SECONDS)
        rounds: list[Lags] = []
        for number in stage.rounds:
            stage.say(f"events: round {number + 1} of {len(stage.rounds)}")
            rounds.append(await _book(stage, listener, stage.seconds(SECONDS)))
    return rounds


async def _book(stage: Stage, listener: Listener, seconds: float) -> Lags:
    """Bookings as they come; how long each of their events took to its effect."""
    requests = stage.bookings()
    await listener.forget()
    async with stage.ledger() as ledger:
        outbox = Outbox(connection=ledger.connection, began=ledger.began)
        outcomes = await arrivals.offer(
            port=stage.layout.ports[BOOKING.api],
            rate=RATE,
            seconds=seconds,
            render=requests.render,
            check=requests.read,
        )
        if outcomes.wrong or outcomes.refused or outcomes.failed:
            raise WrongAnswer(f"Not every booking was acknowledged: {dict(outcomes.troubles)}.")
        if not outcomes.acknowledged:
            raise WrongAnswer("Not one booking could be sent.")
        acknowledged = list(outcomes.acknowledged.values())
        await listener.caught_up(outbox)
        await ledger.settle(acknowledged, sent=len(acknowledged))
        happened = await outbox.events()
    await listener.require_once(happened)
    lags = lags_of(happened, listener.committed())
    return Lags(seconds=sorted(lags), rate=outcomes.rate)


async def _drain(stage: Stage, listener: Listener) -> tuple[Sequence[float], float]:
    """Events a second that one relay takes to the bus, by round, and that one consumer handles."""
    server = stage.platform.server.superuser_url()
    passwords = stage.layout.credentials.database
    url = await prepare_database(server, name=DATABASE, passwords=passwords)
    async with administrate(server, database=BOOKING.name) as source:
        copied = (await source.exec_driver_sql(_SAMPLES, (BOOKING_REQUESTED,))).scalar_one()
    many = WAITING if stage.pace.seconds is None else WAITING_A_SECOND * stage.pace.seconds
    relayed: list[float] = []
    sent: Collection[UUID] = ()
    spec = service_spec(
        stage.layout,
        RELAY,
        BOOKING.package,
        "worker",
        database_url=url,
        niceness=WORKER_NICENESS,
    )
    async with administrate(server, database=DATABASE) as connection:
        for number in stage.rounds:
            stage.say(f"events: {many} that wait, round {number + 1} of {len(stage.rounds)}")
            await listener.forget()
            outbox = await _fill(connection, copied, many)
            async with running(spec):
                await outbox.published()
            sent = list(await outbox.events())
            found = await listener.bus.exec_driver_sql(_MESSAGES, (NAME,))
            require_each_once(sent, (event for (event,) in found), what="was published")
            relayed.append(await _rate(connection))
    stage.say(f"events: {many} to be handled")
    async with listener.at_work():
        await listener.emptied()
    await listener.require_once(sent)
    moments = listener.committed().values()
    return relayed, (len(moments) - 1) / (max(moments) - min(moments))


async def _fill(connection: AsyncConnection, copied: str, many: int) -> Outbox:
    """An outbox that holds so many copies of events, none of them published."""
    await connection.exec_driver_sql("TRUNCATE outbox")
    began = (await connection.exec_driver_sql("SELECT clock_timestamp()")).scalar_one()
    await connection.exec_driver_sql(_FILL, (copied, many))
    # Otherwise autovacuum and the checkpointer would do their share of this while we measure.
    await connection.exec_driver_sql("VACUUM (ANALYZE) outbox")
    await connection.exec_driver_sql("CHECKPOINT")
    return Outbox(connection=connection, began=began)


async def _rate(connection: AsyncConnection) -> float:
    """From the first mark to the last; what came before the first is a batch of two hundred."""
    result = await connection.exec_driver_sql(_RATE)
    return float(result.scalar_one())


ROW = Row(
    name="events",
    about="From the outbox to the effect at 500 a second, and 100 000 waiting events relayed",
    measure=measure,
)
