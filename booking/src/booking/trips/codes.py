"""One-time codes: the shipper's at the pickup, the consignee's at the drop.

Whoever hands the goods over, or takes them, gives the driver six digits: so both were there. Codes
are kept as keyed hashes, since a plain one of six digits is tried out in a moment. After
`MOST_FAILURES` wrong ones nobody may try for `WAIT`: in a whole `VALIDITY` a guesser has 480 tries
at a million.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from booking.trips.steps import TripStatus

DIGITS: Final = 6
MOST_FAILURES: Final = 5
WAIT: Final = timedelta(minutes=15)
VALIDITY: Final = timedelta(hours=24)


class Purpose(StrEnum):
    """What a code is for."""

    PICKUP = "pickup"
    DROP = "drop"


# Where a trip stands when a code is of use to it.
DUE: Final[Mapping[Purpose, tuple[TripStatus, ...]]] = MappingProxyType(
    {
        Purpose.PICKUP: (TripStatus.ASSIGNED, TripStatus.ACCEPTED),
        Purpose.DROP: (TripStatus.LOADED, TripStatus.IN_TRANSIT, TripStatus.AT_DROP),
    }
)


class CodeState(StrEnum):
    """How a code stands, for whoever has to hand it on."""

    NOT_ISSUED = "not_issued"
    ISSUED = "issued"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    USED = "used"


class Outcome(StrEnum):
    """What a try came to. Not an exception: the failures it counted must outlive the refusal."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    USED = "used"


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A code as it is kept."""

    digest: bytes
    expires_at: datetime
    failures: int = 0
    blocked_until: datetime | None = None
    used_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """The outcome of a try, and the code as it has to be kept from now on."""

    outcome: Outcome
    code: Code

    @property
    def tries_left(self) -> int:
        return MOST_FAILURES - self.code.failures


def issue(
    *, key: bytes, trip_id: UUID, purpose: Purpose, at: datetime, validity: timedelta = VALIDITY
) -> tuple[str, Code]:
    """A fresh code: its digits, which nobody keeps, and what is kept."""
    digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    digest = _digest(digits, key=key, trip_id=trip_id, purpose=purpose)
    return digits, Code(digest=digest, expires_at=at + validity)


def state_of(code: Code, *, at: datetime) -> CodeState:
    """What a try would meet now."""
    if code.used_at is not None:
        return CodeState.USED
    if at >= code.expires_at:
        return CodeState.EXPIRED
    if code.blocked_until is not None and at < code.blocked_until:
        return CodeState.BLOCKED
    return CodeState.ISSUED


def attempt(
    code: Code, digits: str, *, key: bytes, trip_id: UUID, purpose: Purpose, at: datetime
) -> Tried:
    """Try `digits`. While blocked nothing is looked at, so that waiting can't be shortened."""
    if code.used_at is not None:
        return Tried(outcome=Outcome.USED, code=code)
    if at >= code.expires_at:
        return Tried(outcome=Outcome.EXPIRED, code=code)
    if code.blocked_until is not None:
        if at < code.blocked_until:
            return Tried(outcome=Outcome.BLOCKED, code=code)
        code = replace(code, failures=0, blocked_until=None)
    expected = _digest(digits, key=key, trip_id=trip_id, purpose=purpose)
    if hmac.compare_digest(code.digest, expected):
        return Tried(outcome=Outcome.ACCEPTED, code=replace(code, used_at=at))
    failures = code.failures + 1
    blocked_until = at + WAIT if failures >= MOST_FAILURES else None
    return Tried(
        outcome=Outcome.WRONG, code=replace(code, failures=failures, blocked_until=blocked_until)
    )


def _digest(digits: str, *, key: bytes, trip_id: UUID, purpose: Purpose) -> bytes:
    # Trip and purpose are in it: a code of one trip never opens another, whatever row it stands in.
    return hmac.digest(key, f"{trip_id}/{purpose}/{digits}".encode(), "sha256")
