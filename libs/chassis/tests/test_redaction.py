import math
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.redaction import REDACTED, redact, redact_object, redact_text

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"
CARD = "4111111111111111"


def card_numbers() -> st.SearchStrategy[str]:
    bodies = st.from_regex(r"(?:[2-6]|8[12])[0-9]{11,17}", fullmatch=True)
    return bodies.map(lambda body: body + check_digit(body)).filter(lambda n: 13 <= len(n) <= 19)


def check_digit(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "newPassword",
        "approval_token",
        "refreshToken",
        "client-secret",
        "Authorization",
        "Set-Cookie",
        "otp",
        "totp_seed",
        "pickupOTP",
        "mfa_code",
        "recovery_codes",
        "code",
        "card",
        "cardNumber",
        "pan",
        "cvv",
        "pin",
        "api_key",
        "privateKey",
        "credentials",
    ],
)
def test_secret_keys_lose_their_value(key: str) -> None:
    assert redact({key: "x", "kept": 1}) == {key: REDACTED, "kept": 1}


@pytest.mark.parametrize(
    "key", ["company", "status_code", "errorCode", "discard", "pinned", "expand", "hsn_code"]
)
def test_harmless_keys_keep_their_value(key: str) -> None:
    assert redact({key: "x"}) == {key: "x"}


def test_secrets_are_found_however_deep() -> None:
    value = {"users": [{"name": "Asha", "login": {"password": "x"}}]}
    assert redact(value) == {"users": [{"name": "Asha", "login": {"password": REDACTED}}]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CARD, REDACTED),
        ("card 4111 1111 1111 1111 of Asha", f"card {REDACTED} of Asha"),
        ("5500-0000-0000-0004.", f"{REDACTED}."),
        ("paid 100 4111 1111 1111 1111 on 12", f"paid 100 {REDACTED} on 12"),
        (f"{CARD} {CARD}", f"{REDACTED} {REDACTED}"),
        ("378282246310005", REDACTED),
        (f"8210 0000 0000 000{check_digit('821000000000000')}", REDACTED),
        ("4111111111111112", "4111111111111112"),
        ("1764000000000", "1764000000000"),
        ("321000123456", "321000123456"),
        ("+91 98765 43210", "+91 98765 43210"),
        (f"x{CARD}", f"x{CARD}"),
        ("9" * 40, "9" * 40),
        (f"Bearer {'a' * 20}", REDACTED),
        (f"sent {JWT}!", f"sent {REDACTED}!"),
        ("a\x00b\ud800", "a\ufffdb?"),
    ],
)
def test_values_that_look_secret_are_replaced(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@given(card_numbers(), st.integers(1, 8), st.sampled_from(["", " ", "-"]))
def test_every_card_number_is_found(number: str, group: int, separator: str) -> None:
    spaced = separator.join(number[at : at + group] for at in range(0, len(number), group))
    assert redact_text(f"a {spaced}, b") == f"a {REDACTED}, b"
    assert redact(int(number)) == REDACTED


@given(st.uuids())
def test_uuids_stay_whole(identifier: uuid.UUID) -> None:
    assert redact_text(f"booking/{identifier}") == f"booking/{identifier}"


def test_all_digit_uuids_stay_whole() -> None:
    digits = "41111111-1111-1111-4111-111111111111"
    assert redact_text(digits) == digits


def test_other_types_become_json() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    assert redact_object(
        {
            "none": None,
            "yes": True,
            "money": Decimal("1.50"),
            "ratio": 0.5,
            "nan": math.nan,
            "huge": 10**30,
            "float_number": float(CARD),
            "when": moment,
            "raw": b"bytes",
            "tuple": (1, CARD),
        }
    ) == {
        "none": None,
        "yes": True,
        "money": "1.50",
        "ratio": 0.5,
        "nan": "nan",
        "huge": 10**30,
        "float_number": REDACTED,
        "when": str(moment),
        "raw": REDACTED,
        "tuple": [1, REDACTED],
    }


def test_endless_nesting_is_cut_off() -> None:
    value: dict[str, object] = {}
    value["self"] = value
    assert REDACTED in str(redact(value))


@given(st.text(alphabet="0123456789 -", max_size=3000))
def test_long_runs_of_digits_take_no_time(text: str) -> None:
    redact_text(text)
