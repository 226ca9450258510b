"""The pure rules of bids."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.bids.errors import BadValidity
from booking.bids.rules import check_validity, why_gone
from booking.pricing import share_paise
from booking.statuses import Status

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@given(
    st.integers(1, 10**12),
    st.lists(st.decimals(1, 100, places=3), min_size=1, max_size=20),
)
def test_all_shares_are_never_above_the_price(price: int, loads: list[Decimal]) -> None:
    shares = [
        share_paise(price_paise=price, quantity_mt=sum(loads, Decimal()), load_mt=load)
        for load in loads
    ]
    assert price - len(loads) < sum(shares) <= price


@pytest.mark.parametrize("valid_until", [NOW - HOUR, NOW, NOW + 3 * HOUR])
def test_a_bid_holds_from_now_until_the_pickup_at_most(valid_until: datetime) -> None:
    with pytest.raises(BadValidity):
        check_validity(valid_until, pickup_at=NOW + 2 * HOUR, at=NOW)
    check_validity(NOW + 2 * HOUR, pickup_at=NOW + 2 * HOUR, at=NOW)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"status": Status.IN_PROGRESS}, None),
        ({"open_mt": Decimal(25)}, None),
        ({"valid_until": NOW}, "Its time is over."),
        ({"status": Status.CANCELLED}, "The booking is cancelled."),
        ({"open_mt": Decimal("10.500")}, "Only 10.5 t of the load are open."),
        ({"open_mt": Decimal("0E+1")}, "Only 0 t of the load are open."),
    ],
)
def test_why_it_is_gone(changes: dict[str, Any], why: str | None) -> None:
    facts: dict[str, Any] = {
        "valid_until": NOW + HOUR,
        "load_mt": Decimal(25),
        "status": Status.CONFIRMED,
        "open_mt": Decimal(100),
        "at": NOW,
    }
    assert why_gone(**{**facts, **changes}) == why
