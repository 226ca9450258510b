"""Windows of a rollout as a test wants them."""

import random
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mesh.dataplane.stats import BOUNDS
from ops.rollout.analysis import Look
from ops.rollout.ports import Targets, Window

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
READY = Targets(wanted=1, running=1, ready=1)


def window(
    requests: int, failures: int = 0, *, times: Iterable[float] = (), seconds: float = 60
) -> Window:
    """A window whose requests took so many milliseconds, and 20 those of which it isn't said."""
    counts = [0] * (len(BOUNDS) + 1)
    slow = [*times]
    for time in slow:
        counts[bisect_left(BOUNDS, time)] += 1
    counts[BOUNDS.index(20)] += requests - len(slow)
    return Window(
        since=AT,
        until=AT + timedelta(seconds=seconds),
        requests=requests,
        failures=failures,
        bounds=BOUNDS,
        counts=counts,
    )


def untimed(requests: int) -> Window:
    """A window of requests whose times nobody told."""
    return replace(window(requests), counts=[0] * (len(BOUNDS) + 1))


def drawn(seed: int, requests: int, take: Callable[[random.Random], float]) -> Window:
    """A window whose requests took times of a distribution, in milliseconds."""
    rng = random.Random(seed)
    return window(requests, times=[take(rng) for _ in range(requests)])


def look(
    new: Window | None,
    old: Window | None,
    *,
    recent: Window | None = None,
    targets: Targets = READY,
) -> Look:
    return Look(new=new, old=old, recent=recent, targets=targets)
