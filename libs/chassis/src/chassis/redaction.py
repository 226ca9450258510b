"""Taking secrets out of what is kept: audit details, and anything else that is written down.

Two rules: by the name of the key (password, token, code, card ...), and by the look of the value
(card numbers that pass the Luhn check, JSON web tokens, bearer headers). What is unknown stays, so
callers still choose what they record; this is the net below them.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import cast

from pydantic import JsonValue

REDACTED = "[redacted]"
MAX_DEPTH = 16

_SECRET_STEMS = (
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "cvc",
    "cvv",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "token",
    "totp",
)
_SECRET_WORDS = frozenset(("card", "code", "codes", "jwt", "otp", "pan", "pin", "pwd"))
# `status_code` and the like say nothing secret; any other code may open something.
_PLAIN_CODES = frozenset(
    (
        "country",
        "currency",
        "error",
        "exit",
        "hsn",
        "material",
        "postal",
        "reason",
        "state",
        "status",
    )
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_TOKEN = re.compile(
    r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*|\b(?:bearer|basic)\s+[\w.~+/=-]{8,}", re.ASCII | re.IGNORECASE
)
# A UUID may hold a run of digits that looks like a card; taken first, it is left alone.
_UUID_OR_DIGITS = re.compile(
    r"(?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
    r"|(?<![0-9A-Za-z])(?P<digits>[0-9](?:[ -]?[0-9]){12,})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
# 13 digits at least: 12 would hit e-way bill numbers. Issuers' numbers begin with 2 to 6, 81 or 82.
_CARD_DIGITS = 19
_CARD = re.compile(r"(?:[2-6]|8[12])[0-9]{12,18}")


def redact(value: object) -> JsonValue:
    """A copy of `value` as JSON without secrets.

    Values that JSON doesn't know become their text; what lies deeper than `MAX_DEPTH` is dropped.
    """
    return _redact(value, MAX_DEPTH)


def redact_object(value: Mapping[str, object]) -> dict[str, JsonValue]:
    """`redact` for an object, which stays one."""
    return _redact_object(value, MAX_DEPTH)


def redact_text(text: str) -> str:
    """Take card numbers and tokens out of `text`, and what Postgres can't keep as text."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return _UUID_OR_DIGITS.sub(_without_cards, _TOKEN.sub(REDACTED, clean))


def _redact(value: object, depth: int) -> JsonValue:
    match value:
        case None | bool():
            return value
        case str():
            return redact_text(value)
        case int() | float() | Decimal():
            return _redact_number(value)
        case _ if depth == 0:
            return REDACTED
        case Mapping():
            return _redact_object(cast("Mapping[str, object]", value), depth)
        case bytes() | bytearray() | memoryview():
            return REDACTED
        case Sequence() | set() | frozenset():
            return [_redact(item, depth - 1) for item in cast("Sequence[object]", value)]
        case _:
            return redact_text(str(value))


def _redact_object(value: Mapping[str, object], depth: int) -> dict[str, JsonValue]:
    return {
        redact_text(str(key)): REDACTED if _is_secret(str(key)) else _redact(item, depth - 1)
        for key, item in value.items()
    }


def _redact_number(value: float | Decimal) -> JsonValue:
    if isinstance(value, Decimal):
        return redact_text(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    whole = abs(value) < 10**_CARD_DIGITS and value == int(value)
    return REDACTED if whole and _is_card(str(int(value))) else value


def _is_secret(key: str) -> bool:
    words = [word.lower() for word in _WORD.findall(key)]
    joined = "".join(words)
    if any(stem in joined for stem in _SECRET_STEMS):
        return True
    if words[-1:] == ["code"] and len(words) > 1 and words[-2] in _PLAIN_CODES:
        return False
    return not _SECRET_WORDS.isdisjoint(words)


def _without_cards(match: re.Match[str]) -> str:
    text = match[0]
    if match["uuid"]:
        return text
    kept: list[str] = []
    done = 0
    for start, end in _card_spans(text):
        if start >= done:
            kept += text[done:start], REDACTED
            done = end
    return "".join([*kept, text[done:]])


def _card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where whole groups of digits (`4111 1111 1111 1111`) together make a card number."""
    groups = [group.span() for group in re.finditer(r"[0-9]+", text)]
    for first, (start, _) in enumerate(groups):
        digits = ""
        longest: tuple[int, int] | None = None
        for group_start, end in groups[first : first + _CARD_DIGITS]:
            digits += text[group_start:end]
            if len(digits) > _CARD_DIGITS:
                break
            if _is_card(digits):
                longest = (start, end)
        if longest:
            yield longest


def _is_card(digits: str) -> bool:
    return _CARD.fullmatch(digits) is not None and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0
