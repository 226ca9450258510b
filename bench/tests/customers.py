"""Who send bookings and remember every answer, and the books that have to agree with them."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from bench.arrivals import offer
from bench.outcomes import Outcomes
from bench.requests import BookingRequests
from bench.tokens import Token
from chassis.provisioning import administrate
from contracts.booking import BOOKING_REQUESTED

# More than booking can do, so that something is always under way.
FLOOD = 4000
REPEATS_A_SECOND = 500
PATIENCE = 60.0

# One statement, and so one moment, whatever others commit meanwhile. Keys and answers come of one
# scan: two may find the rows in different orders.
_BOOKS = """
SELECT coalesce((SELECT array_agg(id::text) FROM bookings), '{}'),
       coalesce((SELECT array_agg(subject) FROM outbox WHERE type = :type), '{}'),
       coalesce(records.keys, '{}'), coalesce(records.answers, '{}')
FROM (
    SELECT array_agg(key) AS keys, array_agg(convert_from(body, 'UTF8')) AS answers
    FROM idempotency_records
) AS records
"""


@dataclass(frozen=True)
class Books:
    """What the database holds: ids of bookings, subjects of their events, keys and answers."""

    bookings: Sequence[str]
    events: Sequence[str]
    keys: Sequence[str]
    answers: Sequence[str]

    @classmethod
    async def read(cls, superuser_url: str, database: str) -> "Books":
        """All of it, at one moment."""
        async with administrate(superuser_url, database=database) as connection:
            found = await connection.execute(text(_BOOKS), {"type": BOOKING_REQUESTED})
            return cls(*found.one())

    def booked(self) -> dict[str, str]:
        """The booking of each key, by its record; AssertionError unless all is there just once."""
        booked = {
            key: booking_of(answer.encode())
            for key, answer in zip(self.keys, self.answers, strict=True)
        }
        assert len(booked) == len(self.keys), "two records of a key"
        assert sorted(booked.values()) == sorted(self.bookings) == sorted(self.events)
        return booked


class Customers:
    """They send numbered bookings, each with a key of its own, and keep what was answered."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._requests = BookingRequests(tokens=tokens)
        self._next = 0
        self.answers: dict[int, bytes] = {}
        self.doubtful: set[int] = set()
        self.refusals = Counter[int]()

    async def flood(self, port: int, *, stop: asyncio.Event, answered: Callable[[], None]) -> None:
        """Send new bookings until `stop`, and say at each that is acknowledged.

        What was refused or broken off is doubtful then: it may or may not have been booked.
        """
        first = self._next

        def check(number: int, body: bytes) -> None:
            self._note(first + number, body)
            answered()

        outcomes = await offer(
            port=port,
            rate=FLOOD,
            seconds=PATIENCE,
            render=lambda number: self._requests.render(first + number),
            check=check,
            patience=0.2,
            stop=stop,
        )
        self._next += outcomes.due
        self._settle(outcomes, lambda number: first + number)

    async def repeat(self, port: int, numbers: Collection[int]) -> None:
        """Send these once more, with the keys they had, until each is acknowledged."""
        left = sorted(numbers)
        async with asyncio.timeout(PATIENCE):
            while left:
                left = await self._repeat(port, left)

    def agree_with(self, books: Books) -> None:
        """Whatever was acknowledged is in the books, once, with its event and its record."""
        booked = books.booked()
        for number, answer in self.answers.items():
            assert booked[self._requests.key(number)] == booking_of(answer)

    def equal(self, books: Books) -> None:
        """The same, and there is nothing else."""
        self.agree_with(books)
        assert len(books.bookings) == len(self.answers)

    async def _repeat(self, port: int, numbers: Sequence[int]) -> Sequence[int]:
        outcomes = await offer(
            port=port,
            rate=REPEATS_A_SECOND,
            seconds=len(numbers) / REPEATS_A_SECOND,
            render=lambda place: self._requests.render(numbers[place]),
            check=lambda place, body: self._note(numbers[place], body),
            patience=PATIENCE,
        )
        return self._settle(outcomes, numbers.__getitem__)

    def _note(self, number: int, body: bytes) -> None:
        self._requests.read(number, body)
        assert self.answers.setdefault(number, body) == body, "another answer to the same key"
        self.doubtful.discard(number)

    def _settle(self, outcomes: Outcomes[None], number_of: Callable[[int], int]) -> Sequence[int]:
        assert not outcomes.wrong, outcomes.troubles
        self.refusals.update(outcomes.refused.values())
        left = [number_of(place) for place in (*outcomes.refused, *outcomes.failed)]
        self.doubtful.update(left)
        return left


def booking_of(answer: bytes) -> str:
    """The id of the booking in an answer."""
    return str(json.loads(answer)["booking_id"])
