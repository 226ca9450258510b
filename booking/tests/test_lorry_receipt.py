import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from booking.surge import INDIA
from booking.trips.lorry_receipt import (
    BadGstin,
    LorryReceipt,
    Party,
    Risk,
    check_gstin,
    financial_year,
    qr_text,
    receipt_number,
    rupees,
)
from booking.trips.lorry_receipt_pdf import render
from booking.trips.weights import Weighing

LOADED = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RECEIPT = LorryReceipt(
    number=receipt_number(LOADED, 123),
    trip_id=UUID("01938e6b-10aa-7d3e-8c5f-5a6b7c8d9e0f"),
    issued_at=LOADED,
    carrier="Jharia Heavy Freight",
    consignor=Party(
        name="Coalfield Traders",
        address="Jharia coalfield, Block IV washery, siding 3, Dhanbad 828111",
        gstin="27AAPFU0939F1ZV",
    ),
    consignee=Party(name="Plant", address="Main gate, Durgapur, West Bengal 713203"),
    goods="Coal",
    packages="loose",
    weighing=Weighing(tare_kg=9_200, gross_kg=34_700),
    declared_paise=114_750_00,
    freight_paise=32_456_50,
    risk=Risk.OWNER,
    truck="JH10AB1234",
    driver="Ramesh Kumar",
    driver_licence="JH1020150012345",
    eway_bill="331009876543",
    transit_pass="JH-DHN-2026-0012345",
    evidence_head="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
)


@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2026, 11, 24, tzinfo=INDIA), "2026-27"),
        (datetime(2027, 3, 31, 23, 59, tzinfo=INDIA), "2026-27"),
        (datetime(2027, 4, 1, 0, 0, tzinfo=INDIA), "2027-28"),
        # Still March in Greenwich.
        (datetime(2027, 3, 31, 18, 30, tzinfo=UTC), "2027-28"),
        (datetime(2099, 4, 1, tzinfo=INDIA), "2099-00"),
    ],
)
def test_a_financial_year_begins_in_april_in_india(at: datetime, year: str) -> None:
    assert financial_year(at) == year


def test_numbers_sort_within_their_year() -> None:
    numbers = [receipt_number(LOADED, count) for count in (1, 9, 10, 999_999)]
    assert numbers == sorted(numbers)
    assert numbers[0] == "LR/2026-27/000001"


@pytest.mark.parametrize(
    ("paise", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (99_999, "999.99"),
        (1_234_50, "1,234.50"),
        (1_00_000_00, "1,00,000.00"),
        (1_234_567_890, "1,23,45,678.90"),
    ],
)
def test_rupees_are_grouped_as_in_india(paise: int, text: str) -> None:
    assert rupees(paise) == text


@given(st.integers(0, 10**15))
def test_no_rupee_is_lost_in_grouping(paise: int) -> None:
    assert int(rupees(paise).replace(",", "").replace(".", "")) == paise


def test_a_gstin_is_checked_to_its_last_character() -> None:
    assert check_gstin(" 27aapfu0939f1zv ") == "27AAPFU0939F1ZV"
    for last in "0123456789ABCDEFGHIJKLMNOPQRSTUWXYZ":
        with pytest.raises(BadGstin, match="last character"):
            check_gstin("27AAPFU0939F1Z" + last)


@pytest.mark.parametrize("text", ["", "27AAPFU0939F1Z", "27AAPFU0939F1ZVV", "XXAAPFU0939F1ZV"])
def test_what_is_no_gstin_is_refused(text: str) -> None:
    with pytest.raises(BadGstin):
        check_gstin(text)


def page_of(pdf: bytes) -> Any:
    """The only page, untyped as its library is."""
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    return document[0]


def text_of(pdf: bytes) -> str:
    return page_of(pdf).get_textpage().get_text_bounded()


def test_the_page_says_everything() -> None:
    said = text_of(render(RECEIPT))
    for text in (
        "LR/2026-27/000123",
        "24 Nov 2026, 15:00 IST",
        "Jharia Heavy Freight",
        "Coalfield Traders",
        "27AAPFU0939F1ZV",
        "Durgapur",
        "34,700 kg",
        "9,200 kg",
        "25,500 kg",
        "Rs 1,14,750.00",
        "Rs 32,456.50",
        "JH10AB1234",
        "Ramesh Kumar",
        "331009876543",
        "JH-DHN-2026-0012345",
        "At owner's risk",
        str(RECEIPT.trip_id),
        RECEIPT.evidence_head,
    ):
        assert text in said


def test_the_code_is_read_from_the_printed_page() -> None:
    picture = page_of(render(RECEIPT)).render(scale=2).to_pil()
    [code] = zxingcpp.read_barcodes(picture)
    assert code.text == qr_text(RECEIPT)
    assert json.loads(code.text) == {
        "lr": RECEIPT.number,
        "trip": str(RECEIPT.trip_id),
        "evidence": RECEIPT.evidence_head,
    }


def test_what_is_absent_is_said() -> None:
    grain = replace(RECEIPT, eway_bill=None, transit_pass=None, risk=Risk.CARRIER)
    said = text_of(render(grain))
    assert "none" in said
    assert "not needed" in said
    assert "At carrier's risk" in said


def test_the_same_receipt_gives_the_same_bytes() -> None:
    assert render(RECEIPT) == render(RECEIPT)


@pytest.mark.untraced
@settings(max_examples=20)
@given(st.text(max_size=600))
def test_any_text_fits_on_the_page(text: str) -> None:
    party = Party(name=text, address=text)
    pdf = render(replace(RECEIPT, carrier=text, consignor=party, goods=text, driver=text))
    assert "LR/2026-27/000123" in text_of(pdf)


def test_long_texts_are_cut_and_foreign_letters_marked() -> None:
    address = "Plot 7, " + "very long road name " * 30
    party = Party(name="\u0915\u094b\u092f\u0932\u093e Traders", address=address)
    said = text_of(render(replace(RECEIPT, consignor=party)))
    assert "..." in said
    assert "????? Traders" in said
