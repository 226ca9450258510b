"""Tells of documents and licences that ran out: once for each, however many workers there are."""

from datetime import UTC, date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.events import tell
from booking.fleets.fitness import INDIA
from booking.fleets.models import Driver, Truck, TruckDocument
from chassis.db import Database
from contracts.fleet import DOCUMENT_EXPIRED, DocumentExpired

BATCH = 200


async def tell_expired(database: Database, *, at: datetime | None = None) -> bool:
    """Tell of one batch; whether more may be waiting. What ran out before its day `at` is told."""
    today = (at or datetime.now(UTC)).astimezone(INDIA).date()
    async with database.begin() as session:
        told = await _tell_documents(session, today) + await _tell_licences(session, today)
    return told >= BATCH


async def _tell_documents(session: AsyncSession, today: date) -> int:
    found = await session.execute(
        select(TruckDocument, Truck)
        .join(Truck, Truck.id == TruckDocument.truck_id)
        .where(
            TruckDocument.expires_on < today,
            TruckDocument.told_expired_on.is_distinct_from(TruckDocument.expires_on),
            Truck.retired_at.is_(None),
        )
        .order_by(TruckDocument.expires_on)
        .limit(BATCH)
        .with_for_update(of=TruckDocument, skip_locked=True)
    )
    rows = found.all()
    for document, truck in rows:
        document.told_expired_on = document.expires_on
        await _tell(session, truck, document.kind, document.expires_on)
    return len(rows)


async def _tell_licences(session: AsyncSession, today: date) -> int:
    found = await session.scalars(
        select(Driver)
        .where(
            Driver.licence_expires_on < today,
            Driver.told_expired_on.is_distinct_from(Driver.licence_expires_on),
            Driver.retired_at.is_(None),
        )
        .order_by(Driver.licence_expires_on)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    drivers = found.all()
    for driver in drivers:
        driver.told_expired_on = driver.licence_expires_on
        await _tell(session, driver, "licence", driver.licence_expires_on)
    return len(drivers)


async def _tell(session: AsyncSession, member: Truck | Driver, kind: str, day: date) -> None:
    data = DocumentExpired(
        holder="truck" if isinstance(member, Truck) else "driver",
        holder_id=member.id,
        tenant_id=member.tenant_id,
        kind=kind,
        expired_on=day,
    )
    await tell(session, member, DOCUMENT_EXPIRED, data)
