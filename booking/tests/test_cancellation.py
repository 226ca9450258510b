"""What calling off costs: the rule, the configuration it is read from, and where it is kept."""

import logging
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.cancellation import CancellationTerms, Stage
from booking.models import Booking
from booking.statuses import TRANSITIONS, Status
from chassis.config_client import ConfigurationUnavailable
from contracts.booking import BookingCancelled

from .factories import Caller, FakeSource, fees, problem
from .rows import events_of, in_status, owned_by


@pytest.mark.parametrize(
    ("percent", "fixed", "price", "fee"),
    [
        ("0", 0, 1_000_000, 0),
        ("2", 0, 1_000_000, 20_000),
        ("0", 50_000, 1_000_000, 50_000),
        ("5", 50_000, 1_000_000, 100_000),
        ("2.5", 0, 20, 1),  # half a paisa goes up
        ("2.4999", 0, 20, 0),
        ("100", 0, 999, 999),
        ("100", 1, 999, 999),  # never more than the price
        ("0", 100_000_000, 999, 999),
    ],
)
def test_the_fee(percent: str, fixed: int, price: int, fee: int) -> None:
    assert Stage(percent=Decimal(percent), fixed_paise=fixed).fee_paise(price) == fee


@given(
    percent=st.decimals(0, 100, places=4),
    fixed=st.integers(0, 100_000_000),
    price=st.integers(1, 2**62),
)
def test_a_fee_is_never_below_nothing_nor_above_the_price(
    percent: Decimal, fixed: int, price: int
) -> None:
    fee = Stage(percent=percent, fixed_paise=fixed).fee_paise(price)
    assert 0 <= fee <= price
    exact = min(percent * price / 100 + fixed, Decimal(price))
    assert abs(fee - exact) <= Decimal("0.5")


def test_every_stage_that_can_be_called_off_has_a_fee() -> None:
    terms = CancellationTerms(FakeSource()).current()
    for status, ways in TRANSITIONS.items():
        assert hasattr(terms.stages, status) == (Status.CANCELLED in ways)


def test_the_version_in_force_is_followed() -> None:
    source = FakeSource()
    terms = CancellationTerms(source)
    assert terms.current().fee(Status.REQUESTED, 1000).paise == 0
    source.fees = fees(version=2, requested={"percent": 0.1, "fixed_paise": 5.0})
    fee = terms.current().fee(Status.REQUESTED, 1000)
    assert (fee.paise, fee.config_version, fee.percent) == (6, 2, Decimal("0.1"))


@pytest.mark.parametrize(
    "stage",
    [
        {"percent": 100.1},
        {"percent": -1},
        {"percent": "5"},
        {"percent": True},
        {"fixed_paise": 0.5},
        {"fixed_paise": -1},
        {"fixed_paise": True},
        {"fixed_paise": 100_000_001},
        {"flat": 5},
        None,
        [],
    ],
)
def test_what_breaks_the_schema_is_not_used(
    stage: object, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource(fees=fees(version=7, confirmed=stage))
    with caplog.at_level(logging.ERROR), pytest.raises(ConfigurationUnavailable):
        CancellationTerms(source).current()
    assert "version 7" in caplog.text


@pytest.mark.parametrize(
    ("status", "fee"),
    [("requested", 0), ("confirmed", 2_119_770), ("assigned", 5_299_425 + 50_000)],
)
async def test_it_is_answered_kept_told_and_audited(
    shipper: Caller, session: AsyncSession, status: str, fee: int
) -> None:
    booking = await in_status(session, Status(status), **owned_by(shipper))
    answer = (await shipper.cancel(str(booking.id))).json()
    assert answer["cancellation_fee"] == {"amount": fee, "currency": "INR"}
    detail = (await shipper.get(f"/v1/booking/{booking.id}")).json()
    assert detail["cancellation_fee"] == answer["cancellation_fee"]
    [event] = await events_of(session, str(booking.id))
    told = BookingCancelled.model_validate(event["data"])
    assert told.fee is not None
    assert told.fee.amount == fee
    audited = await session.scalar(text("SELECT details -> 'fee' FROM audit_log"))
    assert audited["paise"] == fee
    assert (audited["config_version"], audited["config_checksum"]) == (1, fees().checksum)


async def test_a_booking_that_stands_has_no_fee(shipper: Caller) -> None:
    booking = await shipper.book()
    assert booking["cancellation_fee"] is None
    [listed] = (await shipper.get("/v1/booking")).json()["items"]
    assert listed["cancellation_fee"] is None


async def test_without_fees_nothing_is_called_off(
    shipper: Caller, source: FakeSource, session: AsyncSession
) -> None:
    booking_id = (await shipper.book())["booking_id"]
    source.fees = None
    problem(await shipper.cancel(booking_id), 503, "configuration-unavailable")
    kept = await session.get_one(Booking, UUID(booking_id))
    assert (kept.status, kept.version, kept.cancellation_fee_paise) == ("requested", 1, None)


async def test_what_cannot_be_called_off_is_said_before_its_fee(
    shipper: Caller, source: FakeSource, session: AsyncSession
) -> None:
    booking = await in_status(session, Status.DELIVERED, **owned_by(shipper))
    source.fees = None
    problem(await shipper.cancel(str(booking.id)), 409, "illegal-transition")
