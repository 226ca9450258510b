"""Latency from histograms: whose slowest requests take longer, and how much."""

from bisect import bisect_left
from itertools import accumulate

from ops.rollout.ports import Window
from ops.rollout.sequential import Trials


def quantile_bound(window: Window, share: float) -> float:
    """The bound of a bucket, in milliseconds, that at least `share` of the requests kept to.

    Infinite beyond the last bound; 0 without requests.
    """
    total = sum(window.counts)
    if not total:
        return 0.0
    bucket = bisect_left(list(accumulate(window.counts)), share * total)
    return window.bounds[bucket] if bucket < len(window.bounds) else float("inf")


def slower_than(window: Window, limit: float) -> Trials:
    """How many requests took longer than `limit`, which is one of the bounds or infinite."""
    within = sum(
        count for bound, count in zip(window.bounds, window.counts, strict=False) if bound <= limit
    )
    total = sum(window.counts)
    return Trials(total=total, hits=0 if limit == float("inf") else total - within)


def next_bound(window: Window, at_least: float) -> float:
    """The first bound that isn't below a time, infinite when there is none."""
    place = bisect_left(window.bounds, at_least)
    return window.bounds[place] if place < len(window.bounds) else float("inf")
