"""Whether the database holds what a load was told: booking by booking, with event and record."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.errors import BenchError, WrongAnswer
from bench.requests import Answered
from booking.pricing import PriceBasis, recompute
from chassis.provisioning import administrate
from contracts.booking import BOOKING_REQUESTED

QUIET_SECONDS = 0.1
QUIET_POLLS = 3
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")

_COUNTS = """
    SELECT (SELECT count(*) FROM bookings), (SELECT count(*) FROM outbox),
        (SELECT count(*) FROM idempotency_records)
"""
_FOUND = """
    SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS answered (id, paise)
    JOIN bookings ON bookings.id = answered.id AND bookings.price_paise = answered.paise
"""
_WITHOUT_ONE_EVENT = """
    SELECT count(*) FROM (
        SELECT FROM bookings LEFT JOIN outbox ON outbox.subject = bookings.id::text
            AND outbox.type = $1 AND outbox.occurred_at >= $2
        WHERE bookings.created_at >= $2
        GROUP BY bookings.id HAVING count(outbox.id) <> 1
    ) AS odd
"""
_PRICES = "SELECT DISTINCT price_paise, price_basis FROM bookings WHERE created_at >= $1"


class Counts(NamedTuple):
    """How many rows there are."""

    bookings: int
    events: int
    records: int

    def since(self, before: "Counts") -> "Counts":
        """What came after `before`."""
        return Counts(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """One database of booking's, from a moment on."""

    connection: AsyncConnection
    began: datetime
    before: Counts

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str, name: str) -> AsyncGenerator[Self]:
        """The database `name` on the server of a superuser's `url`, once nothing comes to it."""
        async with administrate(url, database=name) as connection:
            # Nobody has analysed what has just come, so the planner would compare each with each.
            await connection.exec_driver_sql("SET enable_nestloop = off")
            before = await _quiet(connection)
            began = await connection.exec_driver_sql("SELECT clock_timestamp()")
            yield cls(connection=connection, began=began.scalar_one(), before=before)

    async def settle(self, answered: Sequence[Answered], *, sent: int) -> Counts:
        """What came since, once nothing comes any more; WrongAnswer unless it is as it should be.

        At most `sent` bookings, each with one event, one record and a price that follows from its
        basis; and all that were answered among them, at the price of the answer.
        """
        came = (await _quiet(self.connection)).since(self.before)
        if not came.bookings == came.events == came.records:
            raise WrongAnswer(f"Bookings, events and records don't match: {tuple(came)}.")
        if not len(answered) <= came.bookings <= sent:
            raise WrongAnswer(
                f"{len(answered)} answers and {sent} requests, but {came.bookings} bookings."
            )
        await self._find(answered)
        await self._require_one_event_each()
        await self._require_right_prices()
        return came

    async def _find(self, answered: Sequence[Answered]) -> None:
        prices = {one.booking_id: one.paise for one in answered}
        if len(prices) < len(answered):
            raise WrongAnswer("Two requests were answered with one booking.")
        found = await self._scalar(_FOUND, list(prices), list(prices.values()))
        if found != len(prices):
            raise WrongAnswer(f"{len(prices) - found} answered bookings are not in the database.")

    async def _require_one_event_each(self) -> None:
        odd = await self._scalar(_WITHOUT_ONE_EVENT, BOOKING_REQUESTED, self.began)
        if odd:
            raise WrongAnswer(f"{odd} bookings don't have exactly one event.")

    async def _require_right_prices(self) -> None:
        result = await self.connection.exec_driver_sql(_PRICES, (self.began,))
        for paise, basis in cast("Iterable[tuple[int, dict[str, Any]]]", result):
            if recompute(PriceBasis.read(basis)) != paise:
                raise WrongAnswer(f"{paise} paise don't follow from {basis}.")

    async def _scalar(self, statement: str, *values: Any) -> int:
        result = await self.connection.exec_driver_sql(statement, values)
        return cast(int, result.scalar_one())


async def _quiet(connection: AsyncConnection) -> Counts:
    """The counts once they stand still: what wrk left in flight may still come."""
    counts, same = await _count(connection), 0
    while same < QUIET_POLLS:
        await asyncio.sleep(QUIET_SECONDS)
        again = await _count(connection)
        counts, same = again, same + 1 if again == counts else 0
    return counts


async def _count(connection: AsyncConnection) -> Counts:
    result = await connection.exec_driver_sql(_COUNTS)
    return Counts(*result.one())


async def require_durable(url: str) -> None:
    """BenchError unless the server's commits are on the disk when it says so."""
    async with administrate(url) as connection:
        for setting in DURABLE:
            result = await connection.exec_driver_sql(f"SHOW {setting}")
            if result.scalar_one() != "on":
                raise BenchError(f"Postgres runs with {setting} off, so its figures mean nothing.")
