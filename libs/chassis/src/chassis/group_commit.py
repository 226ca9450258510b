"""Group commit: concurrent calls share a transaction, and each is answered after its commit.

    commits = GroupCommit(database, Booking.__table__)      # one a process
    async with commits.running():
        answer = await commits.commit(Write(...))

A batch is whatever queued up while the one before was committing, so nobody waits for company
longer than that, and a lone call doesn't wait at all. A row that the database refuses is found by
halving its batch and fails alone. When the connection breaks nobody knows what was committed:
the calls of that batch are tried again on a new one, which first looks whether they are there.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from prometheus_client import Gauge, Histogram
from sqlalchemy import Table

from chassis.db import Database, DatabaseUnavailable, Driver
from chassis.errors import DomainError, Unavailable
from chassis.group_transaction import GroupTransaction, Outcome, Wait, Write
from chassis.idempotency import Answer, KeyInFlight

logger = logging.getLogger(__name__)

CAPACITY: Final = 1024
BATCH: Final = 64
TRIES: Final = 5
# How long a call asks again whether a key is free, or what became of a transaction cut off.
LOCK_SECONDS: Final = 2.0
DOUBT_SECONDS: Final = 5.0
LOCK_PAUSE: Final = 0.01
RECONNECT_PAUSE: Final = 0.2
# To take a connection from the pool costs as much as a transaction's begin and commit.
HOLD_SECONDS: Final = 0.05

# SQLSTATEs after which nothing was committed: a deadlock, or a plan older than its table.
_TRY_AGAIN = ("40", "0A000")
# Nothing was committed and trying at once won't help: no room, a lock or a statement that lasted.
_PASSING = ("53", "55P03", "57014")
_CONNECTION_LOST = ("08", "57P")
# asyncpg's own confusion, when the server ends the connection just as it is used.
_BROKEN = (OSError, asyncpg.InternalClientError)
_DRIVER_ERRORS = (*_BROKEN, asyncpg.InterfaceError, asyncpg.PostgresError)

ROWS = Histogram(
    "group_commit_rows", "Calls in one transaction", ["table"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
SECONDS = Histogram("group_commit_seconds", "Duration of one transaction", ["table"])
WAITING = Gauge("group_commit_waiting", "Calls that wait for their commit", ["table"])


class Overloaded(Unavailable):
    """More calls wait than this process can answer in good time."""

    type = "overloaded"
    title = "Too many requests at once"


class Refused(Exception):
    """The database refuses this row, whatever stands beside it; `constraint` if one said so."""

    def __init__(self, error: asyncpg.PostgresError) -> None:
        super().__init__(str(error))
        self.constraint: str | None = getattr(error, "constraint_name", None)


class _Lost(Exception):
    """The connection is gone, and with it the knowledge of what it committed."""


@dataclass(slots=True, eq=False)
class _Call:
    write: Write
    answer: asyncio.Future[Answer]
    doubtful: bool = False
    gives_up_at: float | None = None

    def is_late(self, patience: float) -> bool:
        """Whether it has tried for `patience` seconds, from the first time that it was asked."""
        now = self.answer.get_loop().time()
        if self.gives_up_at is None:
            self.gives_up_at = now + patience
        return now >= self.gives_up_at

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class GroupCommit:
    """Commits the writes to one table, one batch after the other, over one connection."""

    def __init__(
        self, database: Database, table: Table, *, capacity: int = CAPACITY, batch: int = BATCH
    ) -> None:
        self._database = database
        self._transaction = GroupTransaction(table)
        self._capacity = capacity
        self._batch = batch
        self._queue: deque[_Call] = deque()
        self._queued = asyncio.Event()
        self._calls: set[_Call] = set()
        self._rows = ROWS.labels(table.name)
        self._seconds = SECONDS.labels(table.name)
        WAITING.labels(table.name).set_function(lambda: len(self._calls))

    async def commit(self, write: Write) -> Answer:
        """The answer that is kept for this write: its own, or that of whoever had its key first.

        Raises `Overloaded`, `DatabaseUnavailable`, `KeyReused`, `KeyInFlight`, and `Refused`. A
        caller that is cancelled may find its write committed or not.
        """
        if len(self._calls) >= self._capacity:
            raise Overloaded("Try again in a second.")
        call = _Call(write, asyncio.get_running_loop().create_future())
        self._calls.add(call)
        self._enqueue(call)
        try:
            return await call.answer
        finally:
            self._calls.discard(call)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Commits until the context ends; who still waits then is told that it can't be done."""
        # A database that is away now is the first batch's trouble, not the start's.
        with contextlib.suppress(DatabaseUnavailable, *_DRIVER_ERRORS):
            async with self._database.driver() as connection:
                await self._transaction.warm_up(connection)
        task = asyncio.create_task(self._run(), name="group commit")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for call in self._calls:
                call.fail(DatabaseUnavailable())

    def _enqueue(self, call: _Call) -> None:
        self._queue.append(call)
        self._queued.set()

    async def _next(self) -> list[_Call]:
        """The next batch; empty when nobody came for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_SECONDS):
                await self._queued.wait()
        return self._take()

    def _take(self) -> list[_Call]:
        calls: list[_Call] = []
        while self._queue and len(calls) < self._batch:
            call = self._queue.popleft()
            # A caller that went away before its turn wants nothing any more.
            if not call.answer.done():
                calls.append(call)
        if not calls:
            self._queued.clear()
        return calls

    async def _run(self) -> None:
        while True:
            await self._queued.wait()
            try:
                async with self._database.driver() as connection:
                    while calls := await self._next():
                        await self._commit(connection, calls)
            except (DatabaseUnavailable, _Lost) as error:
                logger.warning("group commit: %s", error, extra={"calls": len(self._calls)})
                self._turn_away(error)
                await asyncio.sleep(RECONNECT_PAUSE if self._queue else 0)
            except Exception as error:
                # A task that ended here would leave every caller waiting for ever.
                logger.exception("group commit")
                for call in tuple(self._calls):
                    call.fail(error)

    def _turn_away(self, error: DatabaseUnavailable | _Lost) -> None:
        """Without a database only those stay who can't be told yet what became of their write."""
        for call in tuple(self._calls):
            if call.doubtful:
                if call.is_late(DOUBT_SECONDS):
                    call.fail(DatabaseUnavailable("Ask again whether it was done."))
            elif isinstance(error, DatabaseUnavailable):
                call.fail(DatabaseUnavailable())

    async def _commit(self, connection: Driver, calls: list[_Call]) -> None:
        self._rows.observe(len(calls))
        try:
            with self._seconds.time():
                await self._settle(connection, calls)
        except _Lost:
            unanswered = [call for call in calls if not call.answer.done()]
            for call in unanswered:
                call.doubtful = True
            self._queue.extendleft(reversed(unanswered))
            self._queued.set()
            raise

    async def _settle(self, connection: Driver, calls: Sequence[_Call]) -> None:
        """Answer every call, halving the batch as long as it holds a row that is refused."""
        try:
            outcomes = await self._try(connection, calls)
        except DomainError as error:
            for call in calls:
                call.fail(error)
            return
        except Exception as error:
            if connection.is_closed():
                raise _Lost from error
            if len(calls) == 1:
                refused = isinstance(error, asyncpg.PostgresError)
                calls[0].fail(Refused(error) if refused else error)
                return
            half = len(calls) // 2
            await self._settle(connection, calls[:half])
            await self._settle(connection, calls[half:])
            return
        for call, outcome in zip(calls, outcomes, strict=True):
            self._give(call, outcome)

    async def _try(self, connection: Driver, calls: Sequence[_Call]) -> list[Outcome]:
        writes = [call.write for call in calls]
        doubtful = any(call.doubtful for call in calls)
        for _ in range(TRIES):
            try:
                return await self._transaction.run(connection, writes, doubtful=doubtful)
            except _DRIVER_ERRORS as error:
                state: str = getattr(error, "sqlstate", None) or ""
                if isinstance(error, _BROKEN) or state.startswith(_CONNECTION_LOST):
                    connection.terminate()
                    raise _Lost from error
                if state.startswith(_PASSING):
                    raise DatabaseUnavailable from error
                if not state.startswith(_TRY_AGAIN):
                    raise
        raise DatabaseUnavailable

    def _give(self, call: _Call, outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            if not call.answer.done():
                call.answer.set_result(outcome)
        elif outcome is Wait.TURN:
            self._enqueue(call)
        elif outcome is not Wait.LOCK:
            call.fail(outcome)
        elif call.is_late(DOUBT_SECONDS if call.doubtful else LOCK_SECONDS):
            call.fail(_held_by_another(call.write))
        else:
            call.answer.get_loop().call_later(LOCK_PAUSE, self._enqueue, call)


def _held_by_another(write: Write) -> DomainError:
    if write.claim is None:
        return DatabaseUnavailable("Another transaction is in the way.")
    return KeyInFlight(headers={"Retry-After": "1"})
