"""Kinds of values that requests are made of, and how strictly each is read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from booking.arrangements import LONGEST_INSTRUCTIONS
from booking.tariff import decimal_of_number
from contracts.booking import JsonNumber

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# Unicode's Cc, Zl and Zp: nothing that an address or a reason is written with.
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


def _one_line(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError("has control characters")
    return text


def _rfc_3339(text: object) -> object:
    # pydantic would also take seconds since 1970 and dates without a time.
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("must be a time with its offset, as 2026-11-24T09:30:00Z")
    return text


def _in_utc(moment: datetime) -> datetime:
    # Whoever adds days to it, or takes it to India, stays within the calendar.
    if not 2000 <= moment.year < 2100:
        raise ValueError("must be a time from 2000 to 2099")
    return moment.astimezone(UTC)


def _json_number(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("must be a number, not text")
    return decimal_of_number(value)


Address = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=10, max_length=500),
    AfterValidator(_one_line),
    Field(description="Without control characters; white space around it is dropped"),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_one_line),
]
Instructions = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_INSTRUCTIONS),
    AfterValidator(_one_line),
    Field(description="What driver and loaders have to heed: gate, hours, cover"),
]
Phone = Annotated[
    str,
    Field(
        pattern=r"^\+[1-9][0-9]{7,14}$",
        description="As E.164 writes it",
        examples=["+919812345678"],
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tons(GroupedMetadata):
    """Metric tons to the kilogram, from `least` to `most`; `about` says of what."""

    least: float
    most: int
    about: str

    def __iter__(self) -> Iterator[Any]:
        yield Field(ge=self.least, le=self.most, decimal_places=3, strict=True)
        yield BeforeValidator(_json_number)
        described = f"{self.about}, to the kilogram: at most three decimals"
        yield WithJsonSchema(
            {
                "type": "number",
                "minimum": self.least,
                "maximum": self.most,
                "description": described,
            }
        )


Quantity = Annotated[JsonNumber, Tons(least=1, most=1000, about="Metric tons")]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(_in_utc)]
