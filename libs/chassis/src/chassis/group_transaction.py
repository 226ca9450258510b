"""One transaction of a group commit: rows of one table, with the events and records that go along.

Rows go in by one statement over arrays, and every result is joined back by its position.

Before it, each write locks its name (its key, or without one its row's id), as every other
transaction on that key does. It never waits for a lock: whoever holds it may hang, and the
neighbours would with it. What is kept of the keys is read after that, by a statement of its own:
only then does it see what was committed by whoever held the lock before.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

import orjson
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from chassis.db import Driver
from chassis.events import OutboxRow, outbox
from chassis.idempotency import Answer, Claim, KeyReused, idempotency_records
from chassis.schema_v1 import IDEMPOTENCY_KEEP_DAYS


@dataclass(kw_only=True, slots=True)
class Write:
    """What one caller wants committed, all of it or nothing.

    `row` has the values of the table's columns in their order, JSONB as JSON text; `id` is the
    row's key. `alone` names what only one transaction at a time may work on, besides the row.
    """

    id: UUID
    row: Sequence[object]
    event: OutboxRow
    answer: Answer
    claim: Claim | None = None
    alone: tuple[str, ...] = ()

    @property
    def locks(self) -> tuple[str, ...]:
        """Every name that its transaction locks."""
        return (str(self.id) if self.claim is None else self.claim.lock, *self.alone)


class Wait(enum.Enum):
    """Why a write was left out."""

    TURN = "a neighbour in the same batch has the name"
    LOCK = "another transaction has the name"


Outcome: TypeAlias = Answer | KeyReused | Wait

# Plans are kept, and the first are made over empty tables, where reading everything is cheapest.
# Against that stand the setting here and the LATERAL below: each key by the index, from the start.
_LOCK: Final = """
    SELECT pg_try_advisory_xact_lock(hashtextextended(name, 0)) AS locked
    FROM set_config('enable_seqscan', 'off', true),
        unnest($1::text[]) WITH ORDINALITY AS names (name, position) ORDER BY position
"""
# The days only spare it the partitions where no record can be.
KEPT: Final = f"""
    SELECT position, fingerprint, status, media_type, headers, body
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
        WITH ORDINALITY AS claims (tenant_id, principal, route, key, position),
    LATERAL (
        SELECT * FROM idempotency_records AS kept
        WHERE (kept.tenant_id, kept.principal, kept.route, kept.key)
            = (claims.tenant_id, claims.principal, claims.route, claims.key)
        AND created_on BETWEEN (now() AT TIME ZONE 'utc')::date - {IDEMPOTENCY_KEEP_DAYS}
            AND (now() AT TIME ZONE 'utc')::date + 1
        LIMIT 1
    ) AS record
"""  # noqa: S608 - a number of ours
_EVENT_COLUMNS: Final = tuple(OutboxRow.__annotations__)
_EVENT_VALUES: Final = cast(Callable[[OutboxRow], tuple[object, ...]], itemgetter(*_EVENT_COLUMNS))
_RECORD_COLUMNS: Final = (
    "tenant_id", "principal", "route", "key", "fingerprint", "status", "media_type", "headers",
    "body",
)  # fmt: skip


class GroupTransaction:
    """Commits many writes to `table` at once."""

    def __init__(self, table: Table) -> None:
        key = table.primary_key.columns[0].name
        self._present = f'SELECT "{key}" FROM "{table.name}" WHERE "{key}" = ANY($1::uuid[])'  # noqa: S608 - names of ours
        self._width = len(table.columns)
        self._insert = insert_statement(
            (table, [column.name for column in table.columns]),
            (outbox, _EVENT_COLUMNS),
            (idempotency_records, _RECORD_COLUMNS),
        )

    async def run(
        self, connection: Driver, writes: Sequence[Write], *, doubtful: bool = False
    ) -> list[Outcome]:
        """The outcome of each write, by position, after the commit. Raises what the driver raises.

        `doubtful` says that some may be committed already, by a transaction whose end nobody saw.
        """
        async with connection.transaction():
            locked = await _lock(connection, writes)
            kept = await _kept(connection, writes)
            present = await self._already(connection, writes) if doubtful else frozenset[UUID]()
            outcomes: list[Outcome] = []
            fresh: list[Write] = []
            taken: set[str] = set()
            for n, write in enumerate(writes):
                outcome = _settled(write, kept.get(n), present)
                if outcome is None:
                    outcome = _turn(write, locked[n], taken)
                    if outcome is None:
                        taken.update(write.locks)
                        fresh.append(write)
                        outcome = write.answer
                outcomes.append(outcome)
            if fresh:
                await connection.execute(self._insert, *_arrays(fresh, self._width))
        return outcomes

    async def warm_up(self, connection: Driver) -> None:
        """Have the statements prepared, which takes a while, before anybody waits for them."""
        async with connection.transaction():
            await connection.fetch(_LOCK, [])
            await connection.fetch(KEPT, [], [], [], [])
            await connection.execute(self._insert, *_arrays([], self._width))

    async def _already(self, connection: Driver, writes: Sequence[Write]) -> frozenset[UUID]:
        found = await connection.fetch(self._present, [write.id for write in writes])
        return frozenset(record[0] for record in found)


def insert_statement(*parts: tuple[Table, Sequence[str]]) -> str:
    """One statement that inserts into several tables; each column is an array parameter."""
    dialect = postgresql.dialect()
    inserts: list[str] = []
    position = 0
    for table, names in parts:
        arrays: list[str] = []
        for name in names:
            position += 1
            arrays.append(f"${position}::{table.c[name].type.compile(dialect)}[]")
        columns = ", ".join(f'"{name}"' for name in names)
        inserts.append(
            f'INSERT INTO "{table.name}" ({columns}) SELECT * FROM unnest({", ".join(arrays)})'  # noqa: S608 - names of ours
        )
    *others, last = inserts
    named = ", ".join(f"part_{n} AS ({insert})" for n, insert in enumerate(others))
    return f"WITH {named} {last}" if named else last


async def _lock(connection: Driver, writes: Sequence[Write]) -> list[bool]:
    names = [write.locks for write in writes]
    found = await connection.fetch(_LOCK, [name for each in names for name in each])
    locked = iter([record["locked"] for record in found])
    return [all(list(islice(locked, len(each)))) for each in names]


async def _kept(connection: Driver, writes: Sequence[Write]) -> dict[int, Mapping[str, Any]]:
    claimed = [(n, write.claim) for n, write in enumerate(writes) if write.claim is not None]
    if not claimed:
        return {}
    found = await connection.fetch(
        KEPT,
        [claim.tenant_id for _, claim in claimed],
        [claim.principal for _, claim in claimed],
        [claim.route for _, claim in claimed],
        [claim.key for _, claim in claimed],
    )
    return {claimed[record["position"] - 1][0]: record for record in found}


def _settled(
    write: Write, record: Mapping[str, Any] | None, present: frozenset[UUID]
) -> Answer | KeyReused | None:
    """The outcome of a write that has nothing to write."""
    if write.id in present:
        return write.answer
    if record is None or write.claim is None:
        return None
    try:
        write.claim.check(record["fingerprint"])
    except KeyReused as error:
        return error
    return Answer(
        record["body"], record["status"], record["media_type"], record["headers"], replayed=True
    )


def _turn(write: Write, locked: bool, taken: set[str]) -> Wait | None:
    if not locked:
        return Wait.LOCK
    return None if taken.isdisjoint(write.locks) else Wait.TURN


def _arrays(writes: Sequence[Write], width: int) -> list[Sequence[object]]:
    records = [
        (
            claim.tenant_id,
            claim.principal,
            claim.route,
            claim.key,
            claim.fingerprint,
            answer.status,
            answer.media_type,
            orjson.dumps(answer.headers).decode(),
            answer.body,
        )
        for claim, answer in ((write.claim, write.answer) for write in writes)
        if claim is not None
    ]
    events = [_EVENT_VALUES(write.event) for write in writes]
    return [
        *_columns([write.row for write in writes], width),
        *_columns(events, len(_EVENT_COLUMNS)),
        *_columns(records, len(_RECORD_COLUMNS)),
    ]


def _columns(rows: Sequence[Sequence[object]], width: int) -> Sequence[Sequence[object]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
