"""How many tons of a booking trips cover: counted by whoever has locked the booking."""

from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import Coverage
from booking.models import Booking


async def open_tons(session: AsyncSession, booking: Booking) -> Decimal:
    """What no trip carries, and what wasn't given up."""
    found = await session.scalar(select(Coverage.open_mt).where(Coverage.booking_id == booking.id))
    return booking.quantity_mt if found is None else found


async def cover(session: AsyncSession, booking: Booking, tons: Decimal) -> None:
    """A trip carries so much more."""
    statement = insert(Coverage).values(
        booking_id=booking.id, quantity_mt=booking.quantity_mt, covered_mt=tons
    )
    await session.execute(
        statement.on_conflict_do_update(
            constraint="pk_booking_coverage", set_={"covered_mt": Coverage.covered_mt + tons}
        )
    )


async def uncover(session: AsyncSession, booking: Booking, tons: Decimal) -> None:
    """So much less is carried: a trip was called off, or loaded less than it was for."""
    await session.execute(
        update(Coverage)
        .where(Coverage.booking_id == booking.id)
        .values(covered_mt=Coverage.covered_mt - tons)
    )
