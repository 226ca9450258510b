"""Bookings that nobody confirmed, or found no truck for, in time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, text

from booking.models import Booking
from booking.rows import SOURCE
from booking.statuses import Status
from booking.transitions import move
from chassis.db import Database

BATCH: Final = 100

# As text, not as parameters: a plan that is kept must see that the partial indexes serve it.
_REQUESTED: Final = text("bookings.status = 'requested'")
_CONFIRMED: Final = text("bookings.status = 'confirmed'")
_WAITING: Final = text("bookings.status IN ('requested', 'confirmed')")


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a booking may wait: for payment's answer, and without a window for a truck."""

    payment: timedelta
    cover: timedelta

    def uncovered(self, now: datetime) -> ColumnElement[bool]:
        """Finds bookings for which trucks aren't looked for any more."""
        return or_(
            Booking.pickup_until <= now,
            and_(Booking.created_at <= now - self.cover, Booking.pickup_until.is_(None)),
        )

    def overdue(self, now: datetime) -> Iterator[tuple[str, ColumnElement[bool]]]:
        """Why bookings are overdue now, each reason with the condition that finds them.

        A confirmed booking has no truck yet: the first makes it assigned.
        """
        yield (
            "Payment gave no answer in time",
            and_(_REQUESTED, Booking.created_at <= now - self.payment),
        )
        yield (
            "The pickup window passed without a truck",
            and_(_WAITING, Booking.pickup_until <= now),
        )
        yield (
            "No truck was found in time",
            and_(
                _CONFIRMED,
                Booking.created_at <= now - self.cover,
                Booking.pickup_until.is_(None),
            ),
        )


class Expiry:
    """Expires overdue bookings, some in a transaction. Several may run at once."""

    def __init__(self, database: Database, patience: Patience, *, batch: int = BATCH) -> None:
        self._database = database
        self._patience = patience
        self._batch = batch

    async def run(self) -> bool:
        """One batch for each reason; True when more may be overdue."""
        counts = [await self._expire(*each) for each in self._patience.overdue(datetime.now(UTC))]
        return self._batch in counts

    async def _expire(self, reason: str, overdue: ColumnElement[bool]) -> int:
        statement = (
            select(Booking)
            .where(overdue)
            .limit(self._batch)
            # Whoever is at work on one of them, confirming it perhaps, is left alone.
            .with_for_update(skip_locked=True)
        )
        async with self._database.begin() as session:
            bookings = (await session.scalars(statement)).all()
            at = datetime.now(UTC)
            for booking in bookings:
                await move(session, booking, Status.EXPIRED, by=SOURCE, at=at, reason=reason)
        return len(bookings)
