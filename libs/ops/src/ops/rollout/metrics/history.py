"""What counters said over time, so that it can be told what happened between two moments."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.rollout.ports import Window

FINE_SECONDS = 600.0
COARSE_SECONDS = 60.0
KEPT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters since they began: requests, failures, and requests by bucket of latency."""

    requests: int
    failures: int
    counts: tuple[int, ...]

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.requests + other.requests,
            self.failures + other.failures,
            tuple(one + more for one, more in zip(self.counts, other.counts, strict=True)),
        )

    def since(self, before: "Totals") -> "Totals":
        """What came since they said `before`; all of it when they began anew in between."""
        found = Totals(
            self.requests - before.requests,
            self.failures - before.failures,
            tuple(now - then for now, then in zip(self.counts, before.counts, strict=True)),
        )
        anew = found.requests < 0 or found.failures < 0 or any(one < 0 for one in found.counts)
        return self if anew else found


@dataclass(frozen=True, slots=True)
class _Sample:
    at: datetime
    totals: Mapping[str, Totals]


@dataclass
class History:
    """Counters of processes, each sample put on the one before and summed up by their groups.

    `bounds` are those of the buckets in `Totals.counts`. Samples older than ten minutes are thinned
    out to one a minute, and go after a day.
    """

    bounds: Sequence[float]
    _latest: Mapping[tuple[str, str], Totals] = field(default_factory=dict[tuple[str, str], Totals])
    _samples: list[_Sample] = field(default_factory=list[_Sample])

    def add(self, at: datetime, found: Mapping[tuple[str, str], Totals]) -> None:
        """Take in what the counters say at a moment, by group and process.

        What is there at the first sample came before it; a process that appears later began at 0.
        """
        sums = dict(self._samples[-1].totals) if self._samples else {}
        nothing = Totals(0, 0, (0,) * (len(self.bounds) + 1))
        for (group, process), now in found.items():
            before = self._latest.get((group, process), nothing if self._samples else now)
            sums[group] = sums.get(group, nothing) + now.since(before)
        self._latest = found
        self._samples.append(_Sample(at, sums))
        self._thin_out(at)

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def until(self) -> datetime | None:
        """When the latest sample was taken."""
        return self._samples[-1].at if self._samples else None

    def window(self, group: str, seconds: float) -> Window | None:
        """What a group did in the last `seconds` before the latest sample, or as far as is known.

        None when the group has no process now.
        """
        if all(group != one for one, _ in self._latest):
            return None
        last = self._samples[-1]
        start = last.at - timedelta(seconds=seconds)
        first = self._samples[bisect_left(self._samples, start, key=lambda one: one.at)]
        now = last.totals[group]
        came = now.since(first.totals[group]) if group in first.totals else now
        return Window(
            since=first.at,
            until=last.at,
            requests=came.requests,
            failures=came.failures,
            bounds=self.bounds,
            counts=came.counts,
        )

    def _thin_out(self, now: datetime) -> None:
        """Drop one of what is old and too dense, at each sample."""
        fine = now - timedelta(seconds=FINE_SECONDS)
        old = self._samples[: bisect_left(self._samples, fine, key=lambda one: one.at)]
        if len(old) >= 3 and (old[-1].at - old[-3].at).total_seconds() < COARSE_SECONDS:
            del self._samples[len(old) - 2]
        if (now - self._samples[0].at).total_seconds() > KEPT_SECONDS:
            del self._samples[0]
