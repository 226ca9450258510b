"""The bus in Postgres: one table of messages, in a database of its own.

A message is a row a queue: publishing copies an event to every queue that wants its type, a
hand-out hides the row until its visibility time-out, and acknowledging deletes it. The database is
its own so that a long transaction of a service doesn't keep dead messages from being vacuumed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol, cast

import asyncpg

from chassis.bus import Backlog, BusUnavailable, Delivery, encode
from chassis.db import PASSING_STATES, Database, DatabaseUnavailable, Driver
from chassis.events import CloudEvent

logger = logging.getLogger(__name__)

CHANNEL = "bus"
# For what no NOTIFY tells of: time-outs, delays, and notices that were lost with a connection.
POLL_SECONDS = 0.5
RECONNECT_SECONDS = 0.5
_DRIVER_ERRORS = (
    OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError,
)  # fmt: skip

# Plans are kept. The first are made over empty tables, where reading everything is cheapest, and
# would stay so with 100 000 rows; what is off here leaves only the indexes to choose.
PLANNING: Final[dict[str, str]] = dict.fromkeys(
    ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"), "off"
)

_DECLARE: Final = """
    WITH made AS (INSERT INTO queues (name) VALUES ($1) ON CONFLICT DO NOTHING),
    unwanted AS (DELETE FROM subscriptions WHERE queue = $1 AND type <> ALL ($2::text[]))
    INSERT INTO subscriptions (queue, type) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING
"""
# One notice a queue, sent at the commit: a NOTIFY a message would cost more than the messages.
_PUBLISH: Final = f"""
    WITH added AS (
        INSERT INTO messages (queue, body)
        SELECT queue, body FROM unnest($1::text[], $2::bytea[]) AS events (type, body)
        JOIN subscriptions USING (type)
        RETURNING queue
    )
    SELECT pg_notify('{CHANNEL}', queue) FROM (SELECT DISTINCT queue FROM added) AS woken
"""  # noqa: S608 - a name of ours
# The ids go through an array so that the search, with its locks, is done exactly once.
RECEIVE: Final = """
    UPDATE messages
    SET visible_at = now() + make_interval(secs => $3), attempts = attempts + 1
    WHERE id = ANY (ARRAY(
        SELECT id FROM messages WHERE queue = $1 AND visible_at <= now()
        ORDER BY visible_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, attempts, body
"""
_HELD: Final = """
    unnest($1::bigint[], $2::int[]) AS held (id, attempts)
    WHERE (messages.id, messages.attempts) = (held.id, held.attempts)
"""
_ACKNOWLEDGE: Final = f"DELETE FROM messages USING {_HELD}"  # noqa: S608 - a part of ours
_RELEASE: Final = f"""
    UPDATE messages SET visible_at = now() + make_interval(secs => $3) FROM {_HELD}
"""  # noqa: S608 - a part of ours
_BACKLOG: Final = """
    SELECT count(*) AS waiting,
        coalesce(extract(epoch FROM clock_timestamp() - min(enqueued_at)), 0)::float8 AS oldest
    FROM messages WHERE queue = $1
"""


class _Ears(Driver, Protocol):
    """What is used besides of asyncpg's connection."""

    async def add_listener(
        self, channel: str, callback: Callable[[object, int, str, str], None]
    ) -> None: ...

    def add_termination_listener(self, callback: Callable[[object], None]) -> None: ...


class PostgresBus:
    """A `chassis.bus.Bus` over the database `bus`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notices: dict[str, asyncio.Event] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, name: str) -> AsyncGenerator["PostgresBus"]:
        """The bus at `url` (`postgresql+asyncpg://…` of the role `bus_runtime`).

        One connection of its pool listens for notices and comes back by itself.
        """
        database = Database.connect(url, name=name, settings=PLANNING)
        bus = cls(database)
        listening = asyncio.create_task(bus._listen(), name="bus notices")
        try:
            yield bus
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await database.dispose()

    async def declare(self, queue: str, types: frozenset[str]) -> None:
        """Let a queue exist that gets events of exactly these types, from now on."""
        async with self._connection() as connection:
            await connection.execute(_DECLARE, queue, sorted(types))

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        """Return when all of them are kept durably: one statement, all or none."""
        bodies = encode(events)
        async with self._connection() as connection:
            await connection.execute(_PUBLISH, [event.type for event in events], bodies)

    async def receive(
        self, queue: str, *, limit: int, wait: float, visibility: float
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries; an empty sequence when none came within `wait` seconds."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        while True:
            # Taken before the search: a notice that comes during it isn't lost.
            notice = self._notices.setdefault(queue, asyncio.Event())
            async with self._connection() as connection:
                rows = await connection.fetch(RECEIVE, queue, limit, visibility)
            left = deadline - clock()
            if rows or left <= 0:
                return [
                    Delivery(
                        body=row["body"],
                        attempt=row["attempts"],
                        receipt=f"{row['id']}.{row['attempts']}",
                    )
                    for row in rows
                ]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, POLL_SECONDS)):
                    await notice.wait()

    async def acknowledge(self, queue: str, deliveries: Sequence[Delivery]) -> None:
        """These are done with. A void receipt does nothing."""
        async with self._connection() as connection:
            await connection.execute(_ACKNOWLEDGE, *_held(deliveries))

    async def release(self, queue: str, deliveries: Sequence[Delivery], *, delay: float) -> None:
        """Hand these out again after `delay` seconds. A void receipt does nothing."""
        async with self._connection() as connection:
            await connection.execute(_RELEASE, *_held(deliveries), delay)

    async def backlog(self, queue: str) -> Backlog:
        """What waits there now."""
        async with self._connection() as connection:
            [row] = await connection.fetch(_BACKLOG, queue)
        return Backlog(waiting=row["waiting"], oldest_seconds=row["oldest"])

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Driver]:
        try:
            async with self._database.driver() as connection:
                try:
                    yield connection
                except asyncpg.InternalClientError as error:
                    # The server ended the connection just when asyncpg began to use it.
                    connection.terminate()
                    raise BusUnavailable from error
                except asyncpg.InterfaceError as error:
                    # Also what asyncpg says to values of a wrong type, which no other try mends.
                    if connection.is_closed():
                        raise BusUnavailable from error
                    raise
        except (DatabaseUnavailable, OSError) as error:
            raise BusUnavailable from error
        except asyncpg.PostgresError as error:
            if cast(str, getattr(error, "sqlstate", "")).startswith(PASSING_STATES):
                raise BusUnavailable from error
            raise

    async def _listen(self) -> None:
        while True:
            try:
                async with self._database.driver() as connection:
                    await self._hear(cast(_Ears, connection))
            except (DatabaseUnavailable, *_DRIVER_ERRORS) as error:
                logger.warning("bus: no notices, polling only", extra={"reason": str(error)})
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self, connection: _Ears) -> None:
        """Pass notices on until the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._notify)
            # Whatever came before wasn't heard.
            for notice in self._notices.values():
                notice.set()
            self._notices.clear()
            await lost.wait()
        finally:
            # One that listens mustn't go back to the pool.
            connection.terminate()

    def _notify(self, _connection: object, _process: int, _channel: str, queue: str) -> None:
        notice = self._notices.pop(queue, None)
        if notice is not None:
            notice.set()


def _held(deliveries: Sequence[Delivery]) -> tuple[list[int], list[int]]:
    """Ids and attempts, in the order of ids: two that lock the same rows do so in one order."""
    pairs = sorted(
        (int(number), int(attempt))
        for number, _, attempt in (delivery.receipt.partition(".") for delivery in deliveries)
    )
    return [number for number, _ in pairs], [attempt for _, attempt in pairs]
