"""Use cases. Each runs in the transaction of the session that it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from booking.distance import Distance
from booking.errors import BookingNotFound, QuoteExpired, QuoteNotFound, QuoteUsed
from booking.models import Booking, Quote, Status, StatusChange
from booking.rows import (
    booking_from_quote,
    cancelled_event,
    new_booking,
    new_quote,
    requested_event,
)
from booking.schemas import BookingFilter, BookingOut, QuoteAcceptance, TransportRequest
from booking.tariff import Freight, Price, Tariffs
from chassis.access import Grant, Scope
from chassis.audit import record_audit
from chassis.etags import IfMatch
from chassis.events import record_event
from chassis.pagination import Key, Page, keyset, page_of
from chassis.tokens import Principal
from contracts.booking import BOOKING_CANCELLED, BOOKING_REQUESTED

SOURCE = "/booking"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pricer:
    """Prices goods by the tariff in force. It asks nobody, so it may run inside a transaction."""

    tariffs: Tariffs
    distance: Distance

    def price(self, freight: Freight, *, at: datetime) -> Price:
        return self.tariffs.current().price(freight, distance=self.distance, at=at)


async def create_quote(
    session: AsyncSession,
    *,
    principal: Principal,
    request: TransportRequest,
    pricer: Pricer,
    validity: timedelta,
) -> Quote:
    """Offer a price that holds for `validity`."""
    at = datetime.now(UTC)
    price = pricer.price(request.freight, at=at)
    quote = new_quote(
        principal=principal, request=request, price=price, at=at, expires_at=at + validity
    )
    session.add(quote)
    await session.flush()
    return quote


async def create_booking(
    session: AsyncSession,
    *,
    principal: Principal,
    request: TransportRequest | QuoteAcceptance,
    pricer: Pricer,
) -> Booking:
    """Book, at the price of now or at that of a quote, which gives one booking only."""
    at = datetime.now(UTC)
    if isinstance(request, QuoteAcceptance):
        quote = await _open_quote(session, principal=principal, quote_id=request.quote_id, at=at)
        booking = booking_from_quote(quote, at=at)
    else:
        price = pricer.price(request.freight, at=at)
        booking = new_booking(principal=principal, request=request, price=price, at=at)
    session.add(booking)
    try:
        await session.flush()
    except IntegrityError as error:
        # Asking first would not help: another request may book between question and insert.
        if "uq_bookings_quote_id" in str(error.orig):
            raise QuoteUsed from error
        raise
    await record_event(
        session,
        source=SOURCE,
        type=BOOKING_REQUESTED,
        subject=booking.id,
        tenant_id=booking.tenant_id,
        aggregate_version=booking.version,
        data=requested_event(booking),
        occurred_at=at,
    )
    return booking


async def read_booking(
    session: AsyncSession, *, grant: Grant, booking_id: UUID
) -> tuple[Booking, Sequence[StatusChange]]:
    """A booking and the changes of its status, in order."""
    booking = await session.scalar(
        select(Booking).where(Booking.id == booking_id, reached_by(grant))
    )
    if booking is None:
        raise BookingNotFound
    changes = await session.scalars(
        select(StatusChange)
        .where(StatusChange.booking_id == booking_id)
        .order_by(StatusChange.version)
    )
    return booking, changes.all()


async def list_bookings(
    session: AsyncSession, *, grant: Grant, wanted: BookingFilter
) -> Page[BookingOut]:
    """One page of what the caller may see, newest first."""
    statement = keyset(
        select(Booking).where(reached_by(grant), *_conditions(wanted)),
        at=Booking.created_at,
        row_id=Booking.id,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    rows = (await session.scalars(statement)).all()
    return page_of(
        rows,
        limit=wanted.limit,
        key=lambda booking: Key(booking.created_at, booking.id),
        render=BookingOut.of,
    )


async def cancel_booking(
    session: AsyncSession,
    *,
    grant: Grant,
    booking_id: UUID,
    reason: str | None,
    seen: IfMatch | None,
    source_ip: IPv4Address | IPv6Address | None,
) -> Booking:
    """Call a booking off. Of two at once the second finds it cancelled: an illegal transition."""
    booking = await session.scalar(
        select(Booking).where(Booking.id == booking_id, reached_by(grant)).with_for_update()
    )
    if booking is None:
        raise BookingNotFound
    if seen is not None:
        seen.require(booking.version)
    actor = grant.principal.subject
    change = booking.move_to(Status.CANCELLED, by=actor, at=datetime.now(UTC), reason=reason)
    session.add(change)
    await session.flush()
    await record_event(
        session,
        source=SOURCE,
        type=BOOKING_CANCELLED,
        subject=booking.id,
        tenant_id=booking.tenant_id,
        aggregate_version=booking.version,
        data=cancelled_event(booking, change),
        occurred_at=change.changed_at,
    )
    await record_audit(
        session,
        actor=actor,
        action="booking.cancel",
        target=f"booking/{booking.id}",
        tenant_id=booking.tenant_id,
        source_ip=source_ip,
        details={"from_status": change.from_status, "reason": reason},
    )
    return booking


def reached_by(grant: Grant) -> ColumnElement[bool]:
    """Which bookings a grant reaches, as a condition for the query."""
    principal = grant.principal
    match grant.scope:
        case Scope.ALL:
            return true()
        case Scope.TENANT:
            return Booking.tenant_id == principal.tenant_id
        case Scope.OWN:
            return and_(
                Booking.tenant_id == principal.tenant_id,
                Booking.shipper_id == principal.subject,
            )
        case Scope.ASSIGNED:
            # By way of a trip, and no booking has trips: so nobody is assigned to any.
            return false()


async def _open_quote(
    session: AsyncSession, *, principal: Principal, quote_id: UUID, at: datetime
) -> Quote:
    quote = await session.scalar(
        select(Quote).where(
            Quote.id == quote_id,
            Quote.tenant_id == principal.tenant_id,
            Quote.shipper_id == principal.subject,
        )
    )
    if quote is None:
        raise QuoteNotFound
    if quote.expires_at <= at:
        raise QuoteExpired(f"It held until {quote.expires_at.isoformat()}.")
    return quote


def _conditions(wanted: BookingFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(Booking.status == wanted.status)
    if wanted.material_type is not None:
        conditions.append(Booking.material_type == wanted.material_type)
    if wanted.created_from is not None:
        conditions.append(Booking.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        conditions.append(Booking.created_at < wanted.created_to)
    return conditions
