"""The growing delay after failures: some are free, then each doubles the wait up to a ceiling."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_MAX_DOUBLINGS: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class DelayRule:
    """`free` failures cost nothing; the next costs a second, then 2, 4, ... up to `ceiling`.

    Failures are forgotten after `memory` without a new one.
    """

    free: int
    ceiling: timedelta
    memory: timedelta

    def delay(self, failures: int) -> timedelta:
        """How long nobody may try again after so many failures in a row."""
        beyond = failures - self.free
        if beyond <= 0:
            return timedelta(0)
        return min(self.ceiling, timedelta(seconds=2 ** min(beyond - 1, _MAX_DOUBLINGS)))

    def failures_after(self, failures: int, *, last: datetime, now: datetime) -> int:
        """The count with the failure of now, when the last one was at `last`."""
        return 1 if now - last > self.memory else failures + 1
