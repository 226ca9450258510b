"""What became of the requests of one load."""

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(kw_only=True)
class Outcomes(Generic[T]):
    """Every request by its number, in exactly one of five places.

    `acknowledged`: answered 200 to 299, with what the check made of the body. `wrong`: the same,
    but the check raised, with what it said. `refused`: any other status. `failed`: sent, but no
    whole answer came, so nobody knows whether it took effect. `unsent`: no connection was free in
    time, so it surely took no effect.

    `latencies` are of the acknowledged, in seconds from the moment at which each was due.
    `seconds` lasts from the first due moment to the last answer, or to the end of the schedule if
    that is later. `lateness` is the longest that the generator itself overslept a due moment: the
    share of the latency that may be its own fault.
    """

    acknowledged: dict[int, T] = field(default_factory=dict[int, T])
    wrong: dict[int, str] = field(default_factory=dict[int, str])
    refused: dict[int, int] = field(default_factory=dict[int, int])
    failed: dict[int, str] = field(default_factory=dict[int, str])
    unsent: list[int] = field(default_factory=list[int])
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    seconds: float = 0.0
    lateness: float = 0.0

    @property
    def due(self) -> int:
        """How many requests the schedule had."""
        answered = len(self.acknowledged) + len(self.wrong) + len(self.refused)
        return answered + len(self.failed) + len(self.unsent)

    @property
    def rate(self) -> float:
        """Acknowledged requests a second."""
        return len(self.acknowledged) / self.seconds if self.seconds else 0.0

    @property
    def troubles(self) -> Mapping[str, int]:
        """How often each thing went wrong, in words; empty when everything was acknowledged."""
        found = Counter[str]()
        found.update(f"wrong: {reason}" for reason in self.wrong.values())
        found.update(f"refused: {status}" for status in self.refused.values())
        found.update(f"failed: {reason}" for reason in self.failed.values())
        if self.unsent:
            found["unsent"] = len(self.unsent)
        return found

    def percentile(self, percent: float) -> float:
        """The latency, in seconds, that `percent` of the acknowledged requests didn't exceed.

        An observed value, the nearest by rank. ValueError when nothing was acknowledged.
        """
        if not self._sorted:
            raise ValueError("Nothing was acknowledged, so there is no latency.")
        return percentile_of(self._sorted, percent)

    @cached_property
    def _sorted(self) -> Sequence[float]:
        return sorted(self.latencies)


def percentile_of(numbers: Sequence[float], percent: float) -> float:
    """The one of these sorted numbers, of which there are some, that `percent` don't exceed."""
    return numbers[max(0, math.ceil(percent / 100 * len(numbers)) - 1)]
