"""What the database itself refuses, whatever the code does."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from booking.models import Base, StatusChange

from .rows import booking_row, quote_row, terms

START = datetime(2026, 11, 1, tzinfo=UTC)


async def keep(session: AsyncSession, *rows: Base) -> None:
    async with session.begin_nested():
        session.add_all(rows)
    session.expunge_all()


async def refusal(session: AsyncSession, row: Base) -> str:
    """The name of the constraint that refuses this row."""
    with pytest.raises(DBAPIError) as caught:
        await keep(session, row)
    cause: Any = caught.value.orig.__cause__ if caught.value.orig else None
    return cause.constraint_name


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"pickup_lat": 90.1}, "pickup"),
        ({"pickup_lat": float("nan")}, "pickup"),
        ({"pickup_lng": float("inf")}, "pickup"),
        ({"pickup_address": "Too short"}, "pickup"),
        ({"drop_lng": -180.1}, "drop"),
        ({"drop_address": "x" * 501}, "drop"),
        ({"quantity_mt": 0}, "quantity_mt"),
        ({"quantity_mt": 1001}, "quantity_mt"),
        ({"distance_m": 0}, "distance_m"),
        ({"price_paise": 0}, "price_paise"),
        ({"price_basis": []}, "price_basis"),
        ({"pickup_from": START}, "pickup_window"),
        ({"pickup_until": START}, "pickup_window"),
        ({"pickup_from": START, "pickup_until": START}, "pickup_window"),
        ({"deliver_by": datetime(2020, 1, 1, tzinfo=UTC)}, "deliver_by"),
        ({"pickup_contact": []}, "contacts"),
        ({"drop_contact": []}, "contacts"),
        ({"instructions": ""}, "instructions"),
        ({"instructions": "x" * 1001}, "instructions"),
    ],
)
async def test_terms(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    assert await refusal(session, quote_row(**changes)) == f"ck_quotes_{constraint}"
    assert await refusal(session, booking_row(**changes)) == f"ck_bookings_{constraint}"


async def test_versions_begin_at_one(session: AsyncSession) -> None:
    assert await refusal(session, booking_row(version=0)) == "ck_bookings_version"


@pytest.mark.parametrize(
    ("status", "fee"), [("cancelled", -1), ("cancelled", 10**12), ("requested", 0)]
)
async def test_a_fee_is_of_a_cancelled_booking_and_within_its_price(
    session: AsyncSession, status: str, fee: int
) -> None:
    row = booking_row(status=status, cancellation_fee_paise=fee)
    assert await refusal(session, row) == "ck_bookings_cancellation_fee"


async def test_a_quote_holds_for_a_while(session: AsyncSession) -> None:
    quote = quote_row()
    quote.expires_at = quote.created_at - timedelta(seconds=1)
    assert await refusal(session, quote) == "ck_quotes_expires_at"


async def test_a_quote_gives_one_booking(session: AsyncSession) -> None:
    quote = quote_row()
    await keep(session, quote)
    await keep(session, booking_row(**quote.terms(), quote_id=quote.id))
    second = booking_row(**quote.terms(), quote_id=quote.id)
    assert await refusal(session, second) == "uq_bookings_quote_id"


@pytest.mark.parametrize(
    "changes", [{"tenant_id": uuid4()}, {"shipper_id": "somebody"}, {"price_paise": 1}]
)
async def test_a_booking_agrees_with_its_quote(
    session: AsyncSession, changes: dict[str, Any]
) -> None:
    quote = quote_row()
    await keep(session, quote)
    booking = booking_row(**{**quote.terms(), **changes}, quote_id=quote.id)
    assert await refusal(session, booking) == "fk_bookings_terms"


async def test_one_step_a_version(session: AsyncSession) -> None:
    booking = booking_row()
    booking_id = booking.id

    def step(**changes: Any) -> StatusChange:
        values: dict[str, Any] = {
            "booking_id": booking_id,
            "version": 2,
            "from_status": "requested",
            "to_status": "confirmed",
            "changed_at": START,
            "changed_by": "somebody",
        }
        return StatusChange(**{**values, **changes})

    await keep(session, booking)
    name = "booking_status_changes"
    assert await refusal(session, step(version=1)) == f"ck_{name}_version"
    assert await refusal(session, step(to_status="requested")) == f"ck_{name}_moves"
    await keep(session, step())
    assert await refusal(session, step()) == f"pk_{name}"


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"UPDATE bookings SET {column} = {column}"  # noqa: S608 - our own columns
            for column in terms()
        ),
        "UPDATE bookings SET quote_id = NULL",
        "DELETE FROM bookings",
        "UPDATE quotes SET expires_at = now()",
        "DELETE FROM quotes",
        "UPDATE booking_status_changes SET reason = NULL",
        "DELETE FROM booking_status_changes",
        "TRUNCATE bookings CASCADE",
        "DROP TABLE bookings",
    ],
)
async def test_the_runtime_role_may_not(session: AsyncSession, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        await session.execute(text(statement))
