"""The lorry receipt: the carrier's paper for one load, its number, and what its QR code says.

It holds what rule 54(3) of the CGST Rules, 2017 asks of a goods transport agency's consignment
note (consignor, consignee, registration of the vehicle, goods, gross weight, from where to where,
who pays the tax) and whose risk the goods travel at.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from booking.surge import INDIA
from booking.trips.weights import Weighing
from chassis.canonical import canonical_json
from chassis.errors import Invalid

_APRIL: Final = 4
# State, PAN, count of registrations in the state, Z, check character.
_GSTIN = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]", re.ASCII)
_BASE_36: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class BadGstin(Invalid):
    """It isn't a GSTIN, or one of its characters is wrong."""

    type = "bad-gstin"
    title = "Not a GSTIN"


class Risk(StrEnum):
    """Whose loss it is when the goods are lost on the way."""

    OWNER = "owner"
    CARRIER = "carrier"


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """Consignor or consignee."""

    name: str
    address: str
    gstin: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LorryReceipt:
    """All that is printed. `evidence_head` is the newest digest when the truck was loaded."""

    number: str
    trip_id: UUID
    issued_at: datetime
    carrier: str
    consignor: Party
    consignee: Party
    goods: str
    packages: str
    weighing: Weighing
    declared_paise: int
    freight_paise: int
    risk: Risk
    truck: str
    driver: str
    driver_licence: str
    eway_bill: str | None
    transit_pass: str | None
    evidence_head: str


def receipt_number(at: datetime, count: int) -> str:
    """The number of a fleet's `count`th receipt in the financial year of `at`."""
    return f"LR/{financial_year(at)}/{count:06d}"


def financial_year(at: datetime) -> str:
    """The Indian financial year, April to March by the clock there: `2026-27`."""
    local = at.astimezone(INDIA)
    first = local.year if local.month >= _APRIL else local.year - 1
    return f"{first}-{(first + 1) % 100:02d}"


def qr_text(receipt: LorryReceipt) -> str:
    """What the QR code holds: number, trip, and the digest that the evidence must contain."""
    content = {
        "lr": receipt.number,
        "trip": str(receipt.trip_id),
        "evidence": receipt.evidence_head,
    }
    return canonical_json(content).decode()


def check_gstin(text: str) -> str:
    """The GSTIN in capitals without blanks, its check character recomputed; raises `BadGstin`."""
    plain = "".join(text.split()).upper()
    if not _GSTIN.fullmatch(plain):
        raise BadGstin
    if plain[-1] != _check_character(plain[:-1]):
        raise BadGstin("Its last character doesn't fit the others.")
    return plain


def rupees(paise: int) -> str:
    """An amount as it is written in India, without its sign: `1234567890` is `1,23,45,678.90`."""
    whole, rest = divmod(paise, 100)
    head, tail = str(whole)[:-3], str(whole)[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)]
    return ",".join([*reversed(pairs), tail]) + f".{rest:02d}"


def _check_character(text: str) -> str:
    total = 0
    for position, character in enumerate(text):
        product = _BASE_36.index(character) * (1 + position % 2)
        total += product // 36 + product % 36
    return _BASE_36[-total % 36]
