"""When a truck is held for a part of a booking, and whether that suits the booking: pure rules."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from booking.fleets.fitness import Window
from booking.models import Booking

# For loading and unloading, with the waiting for them.
AT_BOTH_ENDS: Final = timedelta(hours=12)
LONGEST_AHEAD: Final = timedelta(days=90)


def planned(pickup_at: datetime, *, distance_m: int, km_per_day: int) -> Window:
    """From the truck's arrival at the pickup to its leaving the drop."""
    way = timedelta(days=1) * distance_m / (km_per_day * 1000)
    return Window(begin=pickup_at, until=pickup_at + way + AT_BOTH_ENDS)


def against_schedule(booking: Booking, window: Window, *, at: datetime) -> Iterator[str]:
    """Why the booking can't be served in this window."""
    if not at - timedelta(minutes=5) <= window.begin <= at + LONGEST_AHEAD:
        yield "pickup_at must be in the next 90 days"
    if booking.pickup_from is not None and window.begin < booking.pickup_from:
        yield f"the goods are there from {booking.pickup_from.isoformat()} on"
    if booking.pickup_until is not None and window.begin > booking.pickup_until:
        yield f"the goods are fetched until {booking.pickup_until.isoformat()}"
    if booking.deliver_by is not None and window.until > booking.deliver_by:
        yield f"the goods must be there by {booking.deliver_by.isoformat()}"
