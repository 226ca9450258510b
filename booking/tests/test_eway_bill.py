from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.surge import INDIA
from booking.trips.eway_bill import (
    LONGEST,
    BadEwayBillNumber,
    EwayBill,
    ExtensionNotOpen,
    eway_bill,
    validity_days,
)

NUMBER = "331009876543"
MORNING = datetime(2026, 11, 24, 10, 30, tzinfo=INDIA)


def bill(km: int = 150, at: datetime = MORNING) -> EwayBill:
    return eway_bill(NUMBER, issued_at=at, distance_m=km * 1000)


@pytest.mark.parametrize(
    ("metres", "days"),
    [(1, 1), (199_999, 1), (200_000, 1), (200_001, 2), (400_000, 2), (1_492_500, 8)],
)
def test_a_day_for_each_200_km_or_part(metres: int, days: int) -> None:
    assert validity_days(metres) == days


@pytest.mark.parametrize(
    ("km", "at", "last_minute"),
    [
        (150, MORNING, datetime(2026, 11, 25, 23, 59, tzinfo=INDIA)),
        (201, MORNING, datetime(2026, 11, 26, 23, 59, tzinfo=INDIA)),
        # One minute decides about a day, by the clock in India.
        (
            150,
            datetime(2026, 11, 24, 23, 59, tzinfo=INDIA),
            datetime(2026, 11, 25, 23, 59, tzinfo=INDIA),
        ),
        (
            150,
            datetime(2026, 11, 25, 0, 0, tzinfo=INDIA),
            datetime(2026, 11, 26, 23, 59, tzinfo=INDIA),
        ),
        (
            150,
            datetime(2026, 11, 24, 18, 30, tzinfo=UTC),
            datetime(2026, 11, 26, 23, 59, tzinfo=INDIA),
        ),
        (
            150,
            datetime(2028, 2, 28, 9, 0, tzinfo=INDIA),
            datetime(2028, 2, 29, 23, 59, tzinfo=INDIA),
        ),
    ],
)
def test_it_ends_at_midnight_in_india(km: int, at: datetime, last_minute: datetime) -> None:
    expires = bill(km, at).expires_at
    assert expires == last_minute + timedelta(minutes=1)
    assert expires.tzinfo is UTC


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- Hypothesis wants bounds without a zone
    metres=st.integers(1, 4_000_000),
)
def test_it_holds_for_its_days_and_less_than_one_more(at: datetime, metres: int) -> None:
    found = eway_bill(NUMBER, issued_at=at, distance_m=metres)
    days = timedelta(days=validity_days(metres))
    assert days < found.expires_at - at <= days + timedelta(days=1)
    assert found.expires_at.astimezone(INDIA).strftime("%H:%M:%S.%f") == "00:00:00.000000"


def test_blanks_are_dropped() -> None:
    assert eway_bill("3310 0987 6543", issued_at=MORNING, distance_m=1).number == NUMBER


@pytest.mark.parametrize(
    "number",
    [
        "",
        "33100987654",
        "3310098765432",
        "33100987654X",
        "\u0663\u0663\u0661\u0660\u0660\u0669\u0668\u0667\u0666\u0665\u0664\u0663",
        NUMBER + "\n",
    ],
)
def test_other_numbers_are_refused(number: str) -> None:
    with pytest.raises(BadEwayBillNumber):
        eway_bill(number, issued_at=MORNING, distance_m=1)


def test_a_late_truck_puts_it_at_risk() -> None:
    found = bill()
    assert not found.at_risk(found.expires_at - timedelta(seconds=1))
    assert found.at_risk(found.expires_at)


@pytest.mark.parametrize("hours", [-8, -1, 0, 8])
def test_it_is_extended_within_eight_hours_of_its_end(hours: int) -> None:
    found = bill()
    at = found.expires_at + timedelta(hours=hours)
    extended = found.extended(at=at, remaining_m=250_000)
    assert extended.expires_at == bill(250, at).expires_at
    assert (extended.number, extended.issued_at) == (found.number, found.issued_at)


@pytest.mark.parametrize("away", [timedelta(hours=8, seconds=1), timedelta(hours=-8, seconds=-1)])
def test_it_is_not_extended_at_another_time(away: timedelta) -> None:
    found = bill()
    with pytest.raises(ExtensionNotOpen):
        found.extended(at=found.expires_at + away, remaining_m=1)


def test_an_extension_never_shortens() -> None:
    found = EwayBill(
        number=NUMBER, issued_at=MORNING, expires_at=MORNING + LONGEST + timedelta(hours=2)
    )
    extended = found.extended(at=MORNING + LONGEST, remaining_m=1)
    assert extended.expires_at == found.expires_at


def test_it_lasts_360_days_at_most() -> None:
    found = EwayBill(number=NUMBER, issued_at=MORNING, expires_at=MORNING + LONGEST)
    assert found.extended(at=MORNING + LONGEST, remaining_m=10**6).expires_at == found.expires_at
    with pytest.raises(ExtensionNotOpen, match="at last"):
        found.extended(at=MORNING + LONGEST + timedelta(seconds=1), remaining_m=1)
