"""How long trucks take: one rule for promising a time and for planning to keep it."""

from datetime import timedelta
from typing import Final

# For loading and unloading, with the waiting for them.
AT_BOTH_ENDS: Final = timedelta(hours=12)
_DAY: Final = timedelta(days=1)


def driving_time(distance_m: float, *, km_per_day: int) -> timedelta:
    """A loaded truck's time on the road, its rests included."""
    return _DAY * distance_m / (km_per_day * 1000)


def trip_time(distance_m: float, *, km_per_day: int) -> timedelta:
    """From a truck's arrival at the pickup to its leaving the drop."""
    return driving_time(distance_m, km_per_day=km_per_day) + AT_BOTH_ENDS
