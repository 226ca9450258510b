"""Use cases that change a booking: amending it, and calling it off.

Each locks the booking, so of two at once the second sees what the first has done.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from booking.arrangements import SCHEDULE, TripTime
from booking.cancellation import CancellationTerms
from booking.errors import BookingNotFound
from booking.fleets.service import Caller
from booking.models import Booking
from booking.rows import amended_event, arranged
from booking.schemas import AmendRequest
from booking.service import reached_by
from booking.statuses import Status
from booking.transitions import lock_booking, move, tell_of
from booking.trips.calling_off import call_off_trips
from chassis.access import Grant
from chassis.audit import record_audit
from chassis.etags import IfMatch
from contracts.booking import BOOKING_AMENDED

Address = IPv4Address | IPv6Address


async def amend_booking(
    session: AsyncSession,
    *,
    grant: Grant,
    booking_id: UUID,
    request: AmendRequest,
    takes: TripTime,
    seen: IfMatch,
    source_ip: Address | None,
) -> Booking:
    """Change the arrangement, as far as the status still allows.

    What stays as it was is no change: then there is no new version, no event and no audit.
    """
    booking = await _locked(session, grant, booking_id, seen)
    wanted = arranged(request)
    changes = {name: value for name, value in wanted.items() if getattr(booking, name) != value}
    if not changes:
        return booking
    before = {name: getattr(booking, name) for name in changes}
    actor, at = grant.principal.subject, datetime.now(UTC)
    booking.amend(changes, takes=takes, at=at)
    await session.flush()
    told = amended_event(booking, changed=tuple(sorted(changes)), by=actor)
    await tell_of(session, booking, BOOKING_AMENDED, told, at=at)
    await record_audit(
        session,
        actor=actor,
        action="booking.amend",
        target=f"booking/{booking.id}",
        tenant_id=booking.tenant_id,
        source_ip=source_ip,
        details={
            "changed": sorted(changes),
            "before": _schedule_in(before),
            "after": _schedule_in(changes),
        },
    )
    return booking


async def cancel_booking(
    session: AsyncSession,
    *,
    grant: Grant,
    booking_id: UUID,
    terms: CancellationTerms,
    reason: str | None,
    seen: IfMatch | None,
    source_ip: Address | None,
) -> Booking:
    """Call a booking off, for the fee of the stage that it has reached, and its trips with it.

    Raises `IllegalTransition` where that isn't possible: also for the second of two at once, and
    once a truck is loaded.
    """
    booking = await _locked(session, grant, booking_id, seen)
    booking.check_move(Status.CANCELLED)
    fee = terms.current().fee(booking.status, booking.price_paise)
    actor, at = grant.principal.subject, datetime.now(UTC)
    caller = Caller(grant=grant, source_ip=source_ip)
    await call_off_trips(session, booking, caller=caller, at=at, reason=reason)
    booking.cancellation_fee_paise = fee.paise
    change = await move(session, booking, Status.CANCELLED, by=actor, at=at, reason=reason)
    await record_audit(
        session,
        actor=actor,
        action="booking.cancel",
        target=f"booking/{booking.id}",
        tenant_id=booking.tenant_id,
        source_ip=source_ip,
        details={
            "from_status": change.from_status,
            "reason": reason,
            "fee": fee.model_dump(mode="json"),
        },
    )
    return booking


async def _locked(
    session: AsyncSession, grant: Grant, booking_id: UUID, seen: IfMatch | None
) -> Booking:
    booking = await lock_booking(session, Booking.id == booking_id, reached_by(grant))
    if booking is None:
        raise BookingNotFound
    if seen is not None:
        seen.require(booking.version)
    return booking


def _schedule_in(values: Mapping[str, Any]) -> dict[str, str | None]:
    """The times among these values. Contacts and instructions are about people: not for audits."""
    times = {name: values[name] for name in sorted(values) if name in SCHEDULE}
    return {name: None if at is None else at.isoformat() for name, at in times.items()}
