"""Use cases of absences: when a truck or a driver can't be had.

They don't count as changes of the truck or driver: two people may note different absences at once.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.access import refused_as
from booking.fleets.errors import AbsenceNotFound, AbsencesOverlap, Retired
from booking.fleets.models import Absence, Driver, Truck
from booking.fleets.schemas import NewAbsence
from booking.fleets.service import Caller, Member, audit, find
from chassis.access import Grant
from chassis.errors import DomainError
from chassis.ids import new_id

_OVERLAP: Final[Mapping[str, type[DomainError]]] = MappingProxyType(
    {"ex_absences_truck": AbsencesOverlap, "ex_absences_driver": AbsencesOverlap}
)
_HOLDER: Final = MappingProxyType({Truck: Absence.truck_id, Driver: Absence.driver_id})


async def note_absence(
    session: AsyncSession,
    kind: type[Member],
    *,
    caller: Caller,
    member_id: UUID,
    wanted: NewAbsence,
) -> Absence:
    """Note a time in which no trips are taken; trips that are planned already stay."""
    member = await find(session, kind, grant=caller.grant, member_id=member_id, lock=True)
    if member.retired_at is not None:
        raise Retired
    absence = Absence(
        id=new_id(),
        truck_id=member.id if isinstance(member, Truck) else None,
        driver_id=member.id if isinstance(member, Driver) else None,
        reason=wanted.reason,
        period=wanted.period,
        created_at=datetime.now(UTC),
    )
    session.add(absence)
    async with refused_as(_OVERLAP):
        await session.flush()
    await audit(session, caller, member, "absence.note", absence_id=str(absence.id))
    return absence


async def list_absences(
    session: AsyncSession, kind: type[Member], *, grant: Grant, member_id: UUID
) -> Sequence[Absence]:
    """Those that aren't over, the soonest first; a hundred at most."""
    member = await find(session, kind, grant=grant, member_id=member_id)
    found = await session.scalars(
        select(Absence)
        .where(_HOLDER[kind] == member.id, func.upper(Absence.period) > datetime.now(UTC))
        .order_by(func.lower(Absence.period))
        .limit(100)
    )
    return found.all()


async def end_absence(
    session: AsyncSession,
    kind: type[Member],
    *,
    caller: Caller,
    member_id: UUID,
    absence_id: UUID,
) -> None:
    """Take an absence back."""
    member = await find(session, kind, grant=caller.grant, member_id=member_id)
    gone = await session.scalar(
        delete(Absence)
        .where(Absence.id == absence_id, _HOLDER[kind] == member.id)
        .returning(Absence.id)
    )
    if gone is None:
        raise AbsenceNotFound
    await audit(session, caller, member, "absence.end", absence_id=str(absence_id))


async def absences_of(
    session: AsyncSession,
    kind: type[Truck | Driver],
    *,
    ids: Collection[UUID],
    begin: datetime,
    until: datetime,
) -> Mapping[UUID, Sequence[Absence]]:
    """The absences of these trucks or drivers in a time, by truck or driver."""
    holder = _HOLDER[kind]
    by_holder: defaultdict[UUID, list[Absence]] = defaultdict(list)
    found = await session.execute(
        select(holder, Absence).where(holder.in_(ids), Absence.period.overlaps(Range(begin, until)))
    )
    for member_id, absence in found:
        if member_id is not None:
            by_holder[member_id].append(absence)
    return by_holder
