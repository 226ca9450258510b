"""Use cases of trucks and drivers: what a fleet keeps of them.

Each runs in the transaction of the session that it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.access import reached_by, refused_as
from booking.fleets.errors import (
    DriverKnown,
    DriverNotFound,
    OnTrip,
    Retired,
    TruckKnown,
    TruckNotFound,
)
from booking.fleets.events import tell_changed, tell_registered
from booking.fleets.kinds import DocumentKind
from booking.fleets.models import Driver, Truck, TruckDocument
from booking.fleets.schemas import FleetFilter, NewDocument, NewDriver, NewTruck
from booking.trips.models import HOLDING, Trip
from chassis.access import Grant
from chassis.audit import record_audit
from chassis.errors import DomainError, NotFound
from chassis.etags import IfMatch
from chassis.ids import new_id
from chassis.pagination import keyset

Member = TypeVar("Member", Truck, Driver)

_NOT_FOUND: Final[Mapping[type[Truck | Driver], type[NotFound]]] = MappingProxyType(
    {Truck: TruckNotFound, Driver: DriverNotFound}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whose rows are reached, and where the call comes from."""

    grant: Grant
    source_ip: IPv4Address | IPv6Address | None


async def register_truck(session: AsyncSession, *, caller: Caller, wanted: NewTruck) -> Truck:
    """A new truck of the caller's fleet; its documents come after it."""
    truck = Truck(
        registration_number=wanted.registration_number,
        truck_type=wanted.truck_type,
        capacity_mt=wanted.capacity_mt,
        materials=sorted(wanted.materials),
        states=sorted(wanted.states),
        documents=[],
        **_new(caller),
    )
    return await _register(session, caller, truck)


async def register_driver(session: AsyncSession, *, caller: Caller, wanted: NewDriver) -> Driver:
    """A new driver of the caller's fleet."""
    driver = Driver(
        name=wanted.name,
        phone=wanted.phone,
        licence_number=wanted.licence_number,
        licence_classes=sorted(wanted.licence_classes),
        licence_expires_on=wanted.licence_expires_on,
        subject=None if wanted.user_id is None else str(wanted.user_id),
        **_new(caller),
    )
    return await _register(session, caller, driver)


async def find(
    session: AsyncSession, kind: type[Member], *, grant: Grant, member_id: UUID, lock: bool = False
) -> Member:
    """The truck or driver, locked until the transaction's end if told so."""
    statement = select(kind).where(kind.id == member_id, reached_by(grant, kind))
    member = await session.scalar(statement.with_for_update() if lock else statement)
    if member is None:
        raise _NOT_FOUND[kind]
    return member


async def newest(
    session: AsyncSession, kind: type[Member], *, grant: Grant, wanted: FleetFilter
) -> list[Member]:
    """A page's rows and one more, newest first."""
    gone = kind.retired_at.is_not(None) if wanted.retired else kind.retired_at.is_(None)
    statement = keyset(
        select(kind).where(reached_by(grant, kind), gone),
        at=kind.created_at,
        row_id=kind.id,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    return list(await session.scalars(statement))


async def change(
    session: AsyncSession,
    kind: type[Member],
    *,
    caller: Caller,
    member_id: UUID,
    seen: IfMatch,
    values: Mapping[str, Any],
) -> Member:
    """Give columns new values. What stays the same is no change, and no event tells of it."""
    member = await _find_active(session, kind, caller, member_id, seen)
    changed = {name for name, value in values.items() if getattr(member, name) != value}
    if not changed:
        return member
    for name in changed:
        setattr(member, name, values[name])
    await _keep_change(session, caller, member, "change", changed)
    return member


async def put_document(
    session: AsyncSession,
    *,
    caller: Caller,
    truck_id: UUID,
    seen: IfMatch,
    kind: DocumentKind,
    wanted: NewDocument,
) -> Truck:
    """Keep a truck's document in place of the one of that kind."""
    truck = await _find_active(session, Truck, caller, truck_id, seen)
    kept = next((document for document in truck.documents if document.kind == kind), None)
    if kept is None:
        kept = TruckDocument(truck_id=truck.id, kind=kind)
        truck.documents.append(kept)
        truck.documents.sort(key=lambda document: document.kind)
    elif (kept.number, kept.expires_on) == (wanted.number, wanted.expires_on):
        return truck
    kept.number, kept.expires_on = wanted.number, wanted.expires_on
    await _keep_change(session, caller, truck, "change", {f"documents.{kind}"})
    return truck


async def retire(
    session: AsyncSession, kind: type[Member], *, caller: Caller, member_id: UUID, seen: IfMatch
) -> Member:
    """Take a truck or driver out of the fleet for good; raises `OnTrip` before its trips are over.

    Afterwards it may be registered again, as another one to which those trips wouldn't belong.
    """
    member = await _find_active(session, kind, caller, member_id, seen)
    whose = Trip.truck_id if kind is Truck else Trip.driver_id
    held = select(Trip.id).where(whose == member.id, Trip.status.in_(HOLDING)).limit(1)
    if await session.scalar(held) is not None:
        raise OnTrip
    member.retired_at = datetime.now(UTC)
    await _keep_change(session, caller, member, "retire", {"retired_at"})
    return member


async def _register(session: AsyncSession, caller: Caller, member: Member) -> Member:
    session.add(member)
    async with refused_as(_KNOWN):
        await session.flush()
    await tell_registered(session, member)
    await audit(session, caller, member, "register")
    return member


async def _find_active(
    session: AsyncSession, kind: type[Member], caller: Caller, member_id: UUID, seen: IfMatch
) -> Member:
    member = await find(session, kind, grant=caller.grant, member_id=member_id, lock=True)
    seen.require(member.version)
    if member.retired_at is not None:
        raise Retired
    return member


async def _keep_change(
    session: AsyncSession, caller: Caller, member: Truck | Driver, verb: str, changed: set[str]
) -> None:
    member.changed(datetime.now(UTC))
    async with refused_as(_KNOWN):
        await session.flush()
    await tell_changed(session, member, changed)
    await audit(session, caller, member, verb, fields=sorted(changed))


async def audit(
    session: AsyncSession, caller: Caller, member: Truck | Driver, verb: str, **details: object
) -> None:
    """Who did what to this truck or driver."""
    name = "truck" if isinstance(member, Truck) else "driver"
    await record_audit(
        session,
        actor=caller.grant.principal.subject,
        action=f"{name}.{verb}",
        target=f"{name}/{member.id}",
        tenant_id=member.tenant_id,
        source_ip=caller.source_ip,
        details=details,
    )


def _new(caller: Caller) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": new_id(),
        "tenant_id": caller.grant.principal.tenant_id,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


_KNOWN: Final[Mapping[str, type[DomainError]]] = MappingProxyType(
    {
        "uq_trucks_registration_number": TruckKnown,
        "uq_drivers_licence_number": DriverKnown,
        "uq_drivers_subject": DriverKnown,
    }
)
