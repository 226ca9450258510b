"""E-way bills: how long one holds, when it may be extended, and whether a truck comes too late.

Rule 138(10) of the CGST Rules, 2017, as it stands since 1 January 2021 (notification 94/2020):
cargo of ordinary size has one day for the first 200 km and one more for every further 200 km or
part of it. The period begins with the bill, and (explanation 1) its first day ends at the midnight
that ends the day after the one of the bill. A transporter may extend it within eight hours before
or after its end, within 360 days of the bill (advisory of GSTN of 17 December 2024).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from booking.surge import INDIA
from chassis.errors import Conflict, Invalid

METRES_PER_DAY: Final = 200_000
EXTENSION: Final = timedelta(hours=8)
LONGEST: Final = timedelta(days=360)
_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)


class BadEwayBillNumber(Invalid):
    """It isn't written as e-way bill numbers are."""

    type = "bad-eway-bill-number"
    title = "An e-way bill number has 12 digits"


class ExtensionNotOpen(Conflict):
    """The bill can't be extended now."""

    type = "eway-bill-extension-not-open"
    title = "The e-way bill can't be extended now"


@dataclass(frozen=True, kw_only=True, slots=True)
class EwayBill:
    """A bill: when it began, and when it ends, which is no longer a moment of it. UTC."""

    number: str
    issued_at: datetime
    expires_at: datetime

    @property
    def extension_from(self) -> datetime:
        return self.expires_at - EXTENSION

    @property
    def extension_until(self) -> datetime:
        return self.expires_at + EXTENSION

    def at_risk(self, estimated_arrival: datetime) -> bool:
        """Whether the truck will probably arrive without a valid bill."""
        return estimated_arrival >= self.expires_at

    def extended(self, *, at: datetime, remaining_m: int) -> "EwayBill":
        """The bill after an extension for what is left to drive; raises `ExtensionNotOpen`."""
        if not self.extension_from <= at <= self.extension_until:
            raise ExtensionNotOpen(
                f"It can be extended from {self.extension_from.isoformat()} "
                f"to {self.extension_until.isoformat()}."
            )
        latest = self.issued_at + LONGEST
        if at > latest:
            raise ExtensionNotOpen(f"It could be extended until {latest.isoformat()} at last.")
        expires_at = min(_end_of_validity(at, remaining_m), latest)
        return EwayBill(
            number=self.number,
            issued_at=self.issued_at,
            # Never shorter than it was.
            expires_at=max(expires_at, self.expires_at),
        )


def eway_bill(number: str, *, issued_at: datetime, distance_m: int) -> EwayBill:
    """A bill for a way of `distance_m` metres; raises `BadEwayBillNumber`. Blanks are dropped."""
    plain = number.replace(" ", "")
    if not _NUMBER.fullmatch(plain):
        raise BadEwayBillNumber
    issued = issued_at.astimezone(UTC)
    return EwayBill(number=plain, issued_at=issued, expires_at=_end_of_validity(issued, distance_m))


def validity_days(distance_m: int) -> int:
    """Days for a way of so many metres, at least one."""
    return max(1, -(-distance_m // METRES_PER_DAY))


def _end_of_validity(begin: datetime, distance_m: int) -> datetime:
    # The day of the bill itself is given, so to speak, on top.
    last_day = begin.astimezone(INDIA).date() + timedelta(days=validity_days(distance_m))
    midnight = datetime.combine(last_day + timedelta(days=1), time(), tzinfo=INDIA)
    return midnight.astimezone(UTC)
