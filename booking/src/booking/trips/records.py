"""What is written beside a trip: evidence, numbers of lorry receipts, one-time codes.

All of it presumes that the caller's transaction holds the trip's row, so that there is no race.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from booking.trips.codes import Code, Outcome, Purpose, attempt
from booking.trips.errors import NoCode, TooManyWrongCodes, WrongCode
from booking.trips.evidence import Entry, next_entry, spelled
from booking.trips.lorry_receipt import financial_year, receipt_number
from booking.trips.models import LorryReceiptSeries, Place, Trip, TripCode, TripEvidence, TripWeight


async def evidence_of(session: AsyncSession, trip_id: UUID) -> Sequence[Entry]:
    """All entries in order."""
    rows = await session.scalars(
        select(TripEvidence).where(TripEvidence.trip_id == trip_id).order_by(TripEvidence.seq)
    )
    return [_entry(row) for row in rows]


async def append_evidence(
    session: AsyncSession,
    trip: Trip,
    *,
    kind: str,
    at: datetime,
    by: str,
    data: dict[str, JsonValue],
) -> Entry:
    """Write the next entry of a trip."""
    last = await session.scalar(
        select(TripEvidence)
        .where(TripEvidence.trip_id == trip.id)
        .order_by(TripEvidence.seq.desc())
        .limit(1)
    )
    entry = next_entry(
        trip.id, None if last is None else _entry(last), kind=kind, at=at, by=by, data=data
    )
    session.add(
        TripEvidence(
            trip_id=trip.id,
            at=at,
            **entry.model_dump(exclude={"at"}),
        )
    )
    return entry


async def net_kg(session: AsyncSession, trip: Trip, place: Place) -> int:
    """What a trip's load weighed there; it must have been weighed."""
    weighed = await session.get_one(TripWeight, (trip.id, place))
    return weighed.gross_kg - weighed.tare_kg


async def next_receipt_number(session: AsyncSession, *, tenant_id: UUID, at: datetime) -> str:
    """The fleet's next number in the financial year.

    Its row stays locked until the commit, and a rollback gives the number back: no gaps.
    """
    statement = insert(LorryReceiptSeries).values(
        tenant_id=tenant_id, financial_year=financial_year(at), last_count=1
    )
    count = await session.scalar(
        statement.on_conflict_do_update(
            constraint="pk_lorry_receipt_series",
            set_={"last_count": LorryReceiptSeries.last_count + 1},
        ).returning(LorryReceiptSeries.last_count)
    )
    if count is None:
        raise RuntimeError("an upsert without a row")
    return receipt_number(at, count)


async def keep_code(session: AsyncSession, trip: Trip, purpose: Purpose, code: Code) -> None:
    """Put a fresh code in the place of the one before."""
    values = _columns(code)
    await session.execute(
        insert(TripCode)
        .values(trip_id=trip.id, purpose=purpose, **values)
        .on_conflict_do_update(constraint="pk_trip_codes", set_=values)
    )


async def use_code(
    session: AsyncSession, trip: Trip, purpose: Purpose, digits: str, *, key: bytes, at: datetime
) -> WrongCode | None:
    """Try the digits; None when they are right. Raises `NoCode`, `TooManyWrongCodes`.

    A wrong try is returned, not raised: it has to be committed, or nobody would ever have to wait.
    """
    row = await session.get(TripCode, (trip.id, purpose), populate_existing=True)
    if row is None:
        raise NoCode(f"Nobody has asked for a code for the {purpose} yet.")
    code = code_of(row)
    tried = attempt(code, digits, key=key, trip_id=trip.id, purpose=purpose, at=at)
    for column, value in _columns(tried.code).items():
        setattr(row, column, value)
    match tried.outcome:
        case Outcome.ACCEPTED:
            return None
        case Outcome.WRONG:
            return WrongCode(
                f"{tried.tries_left} tries are left before a wait.", triesLeft=tried.tries_left
            )
        case Outcome.BLOCKED:
            wait = (code.blocked_until or at) - at
            raise TooManyWrongCodes(retry_after=wait.total_seconds())
        case Outcome.EXPIRED | Outcome.USED:
            raise NoCode(f"The code is {tried.outcome}: ask for a new one.")


def code_of(row: TripCode) -> Code:
    """A code as it is kept."""
    return Code(
        digest=row.digest,
        expires_at=row.expires_at,
        failures=row.failures,
        blocked_until=row.blocked_until,
        used_at=row.used_at,
    )


def _columns(code: Code) -> dict[str, object]:
    return {
        "digest": code.digest,
        "expires_at": code.expires_at,
        "failures": code.failures,
        "blocked_until": code.blocked_until,
        "used_at": code.used_at,
    }


def _entry(row: TripEvidence) -> Entry:
    return Entry(
        seq=row.seq,
        kind=row.kind,
        at=spelled(row.at),
        by=row.by,
        data=row.data,
        before=row.before,
        digest=row.digest,
    )
