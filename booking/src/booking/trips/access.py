"""Whose trips a caller reaches, and what is common to every step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, and_, false, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets.access import refused_as
from booking.fleets.models import Driver
from booking.fleets.service import Caller
from booking.models import Booking
from booking.rows import SOURCE
from booking.transitions import lock_booking
from booking.trips.errors import DriverBusy, TripNotFound, TruckBusy
from booking.trips.evidence import Entry
from booking.trips.models import Trip
from booking.trips.progress import follow
from booking.trips.records import append_evidence
from booking.trips.rules import RulesInForce
from booking.trips.steps import MOVING_BOOKING, Step, after
from chassis.access import Grant, Scope
from chassis.audit import record_audit
from chassis.errors import DomainError
from chassis.etags import IfMatch
from chassis.events import record_event
from contracts.events import EventData

BUSY: Final[Mapping[str, type[DomainError]]] = MappingProxyType(
    {
        "ex_trips_truck": TruckBusy,
        "uq_trips_truck_under_way": TruckBusy,
        "ex_trips_driver": DriverBusy,
        "uq_trips_driver_under_way": DriverBusy,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Road:
    """What trips are judged by: the rules in force, and the key of one-time codes."""

    rules: RulesInForce
    code_key: bytes


def reached_by(grant: Grant) -> ColumnElement[bool]:
    """Which trips a grant reaches: the fleet's, or those of the driver who asks."""
    principal = grant.principal
    own_fleet = Trip.tenant_id == principal.tenant_id
    match grant.scope:
        case Scope.ALL:
            return true()
        case Scope.TENANT:
            return own_fleet
        case Scope.ASSIGNED:
            driver = select(Driver.id).where(Driver.subject == principal.subject)
            return and_(own_fleet, Trip.driver_id.in_(driver))
        case Scope.OWN:
            return false()


def booked_by(grant: Grant) -> ColumnElement[bool]:
    """Which trips a grant reaches for bookings: the tenant's, or the person's, who booked."""
    principal = grant.principal
    own_goods = Trip.shipper_tenant_id == principal.tenant_id
    match grant.scope:
        case Scope.ALL:
            return true()
        case Scope.TENANT:
            return own_goods
        case Scope.OWN:
            own = select(Booking.id).where(Booking.shipper_id == principal.subject)
            return and_(own_goods, Trip.booking_id.in_(own))
        case Scope.ASSIGNED:
            # Fleets, who reach bookings by way of their trips.
            return false()


async def lock_trip(session: AsyncSession, trip_id: UUID, reached: ColumnElement[bool]) -> Trip:
    """The trip as it is now, which nobody else changes meanwhile; raises `TripNotFound`."""
    trip = await session.scalar(
        select(Trip)
        .where(Trip.id == trip_id, reached)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if trip is None:
        raise TripNotFound
    return trip


async def lock_trip_of_booking(
    session: AsyncSession, trip_id: UUID, reached: ColumnElement[bool]
) -> tuple[Booking, Trip]:
    """The trip and its booking, both locked; raises `TripNotFound`.

    The booking first, as everywhere: who calls a booking off goes on from there to its trips.
    """
    of_trip = select(Trip.booking_id).where(Trip.id == trip_id, reached).scalar_subquery()
    booking = await lock_booking(session, Booking.id == of_trip)
    if booking is None:
        raise TripNotFound
    return booking, await lock_trip(session, trip_id, reached)


async def begin_step(
    session: AsyncSession, *, caller: Caller, trip_id: UUID, step: Step, seen: IfMatch | None
) -> Trip:
    """The locked trip, which stands where `step` begins; with its booking if that may move too."""
    reached = reached_by(caller.grant)
    if step in MOVING_BOOKING:
        _, trip = await lock_trip_of_booking(session, trip_id, reached)
    else:
        trip = await lock_trip(session, trip_id, reached)
    if seen is not None:
        seen.require(trip.version)
    after(step, trip.status)
    return trip


async def finish_step(
    session: AsyncSession,
    trip: Trip,
    step: Step,
    *,
    caller: Caller,
    at: datetime,
    data: dict[str, JsonValue],
) -> Entry:
    """Move the trip on, and its booking if need be; write the entry of evidence and of the audit.

    Raises `TruckBusy` or `DriverBusy`; the step's event is the caller's to record.
    """
    trip.status = after(step, trip.status)
    entry = await note_change(
        session,
        trip,
        kind=trip.status,
        action=f"trip.{step}",
        by=caller.grant.principal.subject,
        source_ip=caller.source_ip,
        at=at,
        data=data,
    )
    if step in MOVING_BOOKING:
        booking = await session.get_one(Booking, trip.booking_id)
        await follow(session, booking, by=caller.grant.principal.subject, at=at)
    return entry


async def note_change(
    session: AsyncSession,
    trip: Trip,
    *,
    kind: str,
    action: str,
    by: str,
    source_ip: IPv4Address | IPv6Address | None,
    at: datetime,
    data: dict[str, JsonValue],
) -> Entry:
    """Count a change of the trip, and write down what it was."""
    trip.version += 1
    trip.updated_at = at
    async with refused_as(BUSY):
        await session.flush()
    entry = await append_evidence(session, trip, kind=kind, at=at, by=by, data=data)
    await session.flush()
    await record_audit(
        session,
        actor=by,
        action=action,
        target=f"trip/{trip.id}",
        tenant_id=trip.tenant_id,
        source_ip=source_ip,
        details={"version": trip.version, "evidence": entry.digest},
    )
    return entry


async def tell(
    session: AsyncSession, trip: Trip, kind: str, data: EventData, *, at: datetime | None = None
) -> None:
    """Write an event of the trip as it is now; `at` its last change, unless said."""
    await record_event(
        session,
        source=SOURCE,
        type=kind,
        subject=trip.id,
        tenant_id=trip.tenant_id,
        aggregate_version=trip.version,
        data=data,
        occurred_at=at or trip.updated_at,
    )


def named(trip: Trip) -> dict[str, Any]:
    """What every event of a trip says."""
    return {
        "trip_id": trip.id,
        "booking_id": trip.booking_id,
        "tenant_id": trip.tenant_id,
        "shipper_tenant_id": trip.shipper_tenant_id,
        "truck_id": trip.truck_id,
        "driver_id": trip.driver_id,
    }
