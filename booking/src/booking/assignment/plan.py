"""When a truck is held for a part of a booking, and whether that suits the booking: pure rules."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from booking.fleets.fitness import Window
from booking.models import Booking
from booking.pace import trip_time

LONGEST_AHEAD: Final = timedelta(days=90)


def planned(pickup_at: datetime, *, distance_m: int, km_per_day: int) -> Window:
    """From the truck's arrival at the pickup to its leaving the drop."""
    return Window(begin=pickup_at, until=pickup_at + trip_time(distance_m, km_per_day=km_per_day))


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
