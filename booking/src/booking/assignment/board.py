"""The board: which loads are open that a fleet has trucks for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.models import OPEN, Coverage
from booking.assignment.schemas import BoardFilter
from booking.fleets.access import reached_by
from booking.fleets.fitness import INDIA
from booking.fleets.kinds import DocumentKind
from booking.fleets.models import Truck, TruckDocument
from booking.models import Booking, one_of
from chassis.access import Grant
from chassis.pagination import keyset


async def open_loads(
    session: AsyncSession, *, grant: Grant, wanted: BoardFilter
) -> list[tuple[Booking, Decimal]]:
    """A page and one more of the loads, newest first, each with its open tons."""
    materials = await _carried(session, grant)
    if not materials:
        return []
    covered = select(Coverage.booking_id).where(
        Coverage.booking_id == Booking.id, Coverage.open_mt <= 0
    )
    statement = keyset(
        select(Booking).where(
            # Written out, so that the planner sees the index's own condition.
            text(one_of("bookings.status", OPEN)),
            ~covered.exists(),
            Booking.material_type.in_(materials),
            or_(Booking.pickup_until.is_(None), Booking.pickup_until > datetime.now(UTC)),
        ),
        at=Booking.created_at,
        row_id=Booking.id,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    bookings = (await session.scalars(statement)).all()
    found = await session.execute(
        select(Coverage.booking_id, Coverage.open_mt.label("open_mt")).where(
            Coverage.booking_id.in_([booking.id for booking in bookings])
        )
    )
    tons = {row.booking_id: row.open_mt for row in found}
    return [(booking, tons.get(booking.id, booking.quantity_mt)) for booking in bookings]


async def _carried(session: AsyncSession, grant: Grant) -> Sequence[str]:
    """The materials that the caller's trucks may carry today, with all their documents."""
    today = datetime.now(INDIA).date()
    good = (
        select(func.count())
        .where(TruckDocument.truck_id == Truck.id, TruckDocument.expires_on >= today)
        .scalar_subquery()
    )
    found = await session.scalars(
        select(func.unnest(Truck.materials))
        .where(
            and_(reached_by(grant, Truck), Truck.retired_at.is_(None)), good == len(DocumentKind)
        )
        .distinct()
    )
    return found.all()
