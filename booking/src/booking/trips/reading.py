"""Use cases: what is read of trips, by the fleet that drives and by whoever booked."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.trips.access import booked_by, reached_by
from booking.trips.errors import TripNotFound
from booking.trips.models import Trip
from booking.trips.schemas import TripFilter
from chassis.access import Grant
from chassis.pagination import keyset


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Who reads: as one who drives or owns the truck, as one who booked, or as both."""

    carrier: Grant | None
    consignor: Grant | None

    @property
    def carried(self) -> ColumnElement[bool]:
        """Which trips the reader sees as their fleet does."""
        return false() if self.carrier is None else reached_by(self.carrier)

    @property
    def booked(self) -> ColumnElement[bool]:
        """Which trips the reader sees as whoever booked does."""
        return false() if self.consignor is None else booked_by(self.consignor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A trip, and whether its reader may see what is only the fleet's."""

    trip: Trip
    as_carrier: bool


async def read_trip(session: AsyncSession, *, reader: Reader, trip_id: UUID) -> Seen:
    """One trip that the caller may see; raises `TripNotFound`."""
    found = await session.execute(
        select(Trip, reader.carried.label("carried")).where(
            Trip.id == trip_id, or_(reader.carried, reader.booked)
        )
    )
    row = found.one_or_none()
    if row is None:
        raise TripNotFound
    return Seen(trip=row[0], as_carrier=row[1])


async def newest(session: AsyncSession, *, reader: Reader, wanted: TripFilter) -> Sequence[Seen]:
    """One page and one trip more of what the caller may see."""
    statement = select(Trip, reader.carried.label("carried")).where(
        or_(reader.carried, reader.booked)
    )
    if wanted.status is not None:
        statement = statement.where(Trip.status == wanted.status)
    if wanted.booking_id is not None:
        statement = statement.where(Trip.booking_id == wanted.booking_id)
    page = keyset(
        statement, at=Trip.created_at, row_id=Trip.id, cursor=wanted.cursor, limit=wanted.limit
    )
    return [Seen(trip=row[0], as_carrier=row[1]) for row in await session.execute(page)]
