"""Use cases: quoting, booking, reading. Each runs in the transaction of the session that it gets.

But creating a booking: that shares its transaction with whatever is created at the same moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from booking.arrangements import TripTime
from booking.assignment.models import Coverage
from booking.distance import Distance
from booking.errors import BookingNotFound, QuoteExpired, QuoteNotFound, QuoteUsed
from booking.models import Booking, Quote, StatusChange
from booking.rows import booking_from_quote, creation, new_booking, new_quote
from booking.schemas import BookingFilter, BookingOut, QuoteAcceptance, TransportRequest
from booking.tariff import Freight, Price, Tariffs
from booking.trips.models import Trip
from booking.trips.steps import TripStatus
from chassis.access import Grant, Scope
from chassis.db import Database
from chassis.errors import DomainError
from chassis.group_commit import GroupCommit, Refused
from chassis.idempotency import Answer, Claim, kept_answer
from chassis.pagination import Key, Page, keyset, page_of
from chassis.tokens import Principal


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
    takes: TripTime,
    validity: timedelta,
) -> Quote:
    """Offer a price that holds for `validity`."""
    at = datetime.now(UTC)
    price = pricer.price(request.freight, at=at)
    request.schedule.check(distance_m=price.basis.distance_m, takes=takes, at=at)
    quote = new_quote(
        principal=principal, request=request, price=price, at=at, expires_at=at + validity
    )
    session.add(quote)
    await session.flush()
    return quote


async def create_booking(
    database: Database,
    commits: GroupCommit,
    *,
    principal: Principal,
    request: TransportRequest | QuoteAcceptance,
    pricer: Pricer,
    takes: TripTime,
    claim: Claim | None,
) -> Answer:
    """Book, at the price of now or at that of a quote, which gives one booking only."""
    at = datetime.now(UTC)
    try:
        if isinstance(request, QuoteAcceptance):
            async with database.begin() as session:
                quote = await _open_quote(session, principal, request.quote_id, at=at)
            quote.schedule.check(distance_m=quote.distance_m, takes=takes, at=at, begun=True)
            row = booking_from_quote(quote, at=at)
        else:
            price = pricer.price(request.freight, at=at)
            request.schedule.check(distance_m=price.basis.distance_m, takes=takes, at=at)
            row = new_booking(principal=principal, request=request, price=price, at=at)
    except DomainError:
        # What can't be booked now may have been, when this key was first sent.
        kept = await _given_before(database, claim)
        if kept is None:
            raise
        return kept
    try:
        return await commits.commit(creation(row, claim=claim))
    except Refused as error:
        # Asking first doesn't suffice: another may book between question and insert.
        if error.constraint == "uq_bookings_quote_id":
            raise QuoteUsed from error
        raise


async def read_booking(
    session: AsyncSession, *, grant: Grant, booking_id: UUID
) -> tuple[Booking, Coverage | None, Sequence[StatusChange]]:
    """A booking, what trips cover of it once there was one, and the changes of its status."""
    found = await session.execute(
        select(Booking, Coverage)
        .outerjoin(Coverage, Coverage.booking_id == Booking.id)
        .where(Booking.id == booking_id, reached_by(grant))
    )
    row = found.one_or_none()
    if row is None:
        raise BookingNotFound
    booking, coverage = row
    changes = await session.scalars(
        select(StatusChange)
        .where(StatusChange.booking_id == booking_id)
        .order_by(StatusChange.version)
    )
    return booking, coverage, changes.all()


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
            # By way of a trip of one's fleet, unless it was called off.
            return Booking.id.in_(
                select(Trip.booking_id).where(
                    Trip.tenant_id == principal.tenant_id, Trip.status != TripStatus.CANCELLED
                )
            )


async def _given_before(database: Database, claim: Claim | None) -> Answer | None:
    if claim is None:
        return None
    async with database.begin() as session:
        return await kept_answer(session, claim)


async def _open_quote(
    session: AsyncSession, principal: Principal, quote_id: UUID, *, at: datetime
) -> Quote:
    used = select(Booking.id).where(Booking.quote_id == Quote.id).exists()
    found = await session.execute(
        select(Quote, used).where(
            Quote.id == quote_id,
            Quote.tenant_id == principal.tenant_id,
            Quote.shipper_id == principal.subject,
        )
    )
    row = found.one_or_none()
    if row is None:
        raise QuoteNotFound
    quote, is_used = row
    if is_used:
        raise QuoteUsed
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
