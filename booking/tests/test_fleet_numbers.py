import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.fleets.numbers import (
    BHARAT_REGISTRATION,
    FORMER_STATES,
    LICENCE,
    REGISTRATION,
    STATES,
    licence_number,
    registration_number,
)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("MH12AB1234", "MH12AB1234"),
        (" mh-12 ab 1234 ", "MH12AB1234"),
        ("DL 1 LAB 0001", "DL1LAB0001"),
        ("OR02A1234", "OR02A1234"),
        ("22BH1234AA", "22BH1234AA"),
        ("22 bh 0001 c", "22BH0001C"),
    ],
)
def test_registration_numbers(typed: str, kept: str) -> None:
    assert registration_number(typed) == kept
    assert registration_number(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "XX12AB1234",
        "MH12AB0000",
        "MH12AB123",
        "MH12AB12345",
        "MH123AB1234",
        "MH12ABCD1234",
        "20BH1234AA",
        "22BH1234IA",
        "22BH123AA",
        "MH12AB١٢٣٤",  # noqa: RUF001 - digits of another script
        "MH12AB1234\n1",
    ],
)
def test_what_is_no_registration_number(typed: str) -> None:
    with pytest.raises(ValueError, match=r"must be|begins|0000"):
        registration_number(typed)


@pytest.mark.parametrize("typed", ["MH1220110012345", "mh-12 20110012345"])
def test_licence_numbers(typed: str) -> None:
    assert licence_number(typed) == "MH1220110012345"


@pytest.mark.parametrize("typed", ["", "MH12", "XX1220110012345", "MH1218110012345", "MH122011"])
def test_what_is_no_licence_number(typed: str) -> None:
    with pytest.raises(ValueError, match=r"must be|begins"):
        licence_number(typed)


@given(st.text(max_size=25))
def test_whatever_is_typed_the_normal_form_is_one_that_the_database_takes(typed: str) -> None:
    for read, form in (
        (registration_number, f"({REGISTRATION}|{BHARAT_REGISTRATION})"),
        (licence_number, LICENCE),
    ):
        try:
            kept = read(typed)
        except ValueError:
            continue
        assert re.fullmatch(form, kept, re.ASCII)
        assert read(kept) == kept


@given(
    st.sampled_from(sorted(STATES | FORMER_STATES)),
    st.from_regex(r"[0-9]{1,2}[A-Z]{1,3}[0-9]{3}[1-9]", fullmatch=True),
)
def test_every_state_has_plates(state: str, rest: str) -> None:
    assert registration_number(f"{state.lower()} {rest}") == state + rest
