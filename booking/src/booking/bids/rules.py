"""When a bid is good, and whether it can still be taken: pure rules."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from booking.assignment.models import OPEN
from booking.bids.errors import BadValidity
from booking.statuses import Status

MOST_PAISE: Final = 10_000_000_000


def check_validity(valid_until: datetime, *, pickup_at: datetime, at: datetime) -> None:
    """Raises `BadValidity`."""
    if valid_until <= at:
        raise BadValidity("valid_until is past.")
    if valid_until > pickup_at:
        raise BadValidity("valid_until is after pickup_at.")


def why_gone(
    *, valid_until: datetime, load_mt: Decimal, status: Status, open_mt: Decimal, at: datetime
) -> str | None:
    """Why an open bid can't be taken at this time, None when it can as far as the booking goes."""
    if valid_until <= at:
        return "Its time is over."
    if status not in OPEN:
        return f"The booking is {status.replace('_', ' ')}."
    if open_mt < load_mt:
        return f"Only {open_mt.normalize():f} t of the load are open."
    return None
