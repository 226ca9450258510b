"""Is the new version as good as the old one? Judged by what both answered over the same time."""

import math
from dataclasses import dataclass
from enum import StrEnum

from ops.rollout.latency import next_bound, quantile_bound, slower_than
from ops.rollout.ports import Targets, Window
from ops.rollout.sequential import Trials, log_evidence


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is asked of a new version. Times are in seconds unless their names say otherwise."""

    minimum_requests: int = 100
    """Fewer of either version over a whole bake say nothing."""

    maximum_error_rate: float = 0.01
    """A bake doesn't end well at this share of failures, whatever the old version's is."""

    negligible_error_rate: float = 0.001
    """Up to this share of failures the new version may be worse than the old one."""

    tolerated_ratio: float = 1.5
    """Failing, or being slow, up to so many times as often as the old version counts as equal."""

    false_alarm: float = 0.005
    """How likely a comparison ever is, in one bake, to blame a version that is within that ratio.

    One that is no worse than the other is blamed far less often."""

    few_failures: int = 3
    """Fewer failures than this are chance."""

    burst_seconds: float = 10.0
    """A crash shows within this time."""

    burst_error_rate: float = 0.2
    """This share of failures within that time is a crash."""

    few_slow: int = 10
    """Fewer slow answers than this are a cold start."""

    maximum_latency_ratio: float = 1.3
    """How much longer p90 and p99 may be than the old version's."""

    minimum_latency_ms: float = 50.0
    """And by how many milliseconds in any case."""


LIMITS = Limits()
QUANTILES = (0.90, 0.99)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen of a step of a rollout.

    `new` and `old` are of the same time, from the step's beginning on; once the old version gets
    nothing any more, `old` is its window of the step before. `recent` is the new version's last
    `Limits.burst_seconds`. None where there are no fresh figures.
    """

    new: Window | None
    old: Window | None
    recent: Window | None
    targets: Targets


class Outcome(StrEnum):
    """What is to be done with a step."""

    GO_ON = "go on"
    WAIT = "wait"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done, and why, in words with figures."""

    outcome: Outcome
    reason: str


def judge(look: Look, limits: Limits = LIMITS, *, over: bool) -> Verdict:
    """What to do after a look at a step; `over` says that its bake has ended.

    Before the end it is to wait or bad, at the end to go on or bad: what is missing is waited for,
    and is bad in the end.
    """
    if reason := _crash(look, limits):
        return Verdict(Outcome.BAD, reason)
    new, old = look.new, look.old
    if new is None or old is None:
        who = "new" if new is None else "old"
        return _unless(over, f"There are no fresh figures of the {who} version.")
    if reason := _worse(new, old, limits):
        return Verdict(Outcome.BAD, reason)
    for who, window in (("new", new), ("old", old)):
        for what, number in (("requests", window.requests), ("latencies", sum(window.counts))):
            if number < limits.minimum_requests:
                seen = f"{number} of at least {limits.minimum_requests}"
                return _unless(over, f"Too few {what} of the {who} version: {seen}.")
    if over and (reason := _too_many_failures(new, limits)):
        return Verdict(Outcome.BAD, reason)
    return Verdict(Outcome.GO_ON if over else Outcome.WAIT, _summary(new, old))


def _unless(over: bool, reason: str) -> Verdict:
    return Verdict(Outcome.BAD if over else Outcome.WAIT, reason)


def _crash(look: Look, limits: Limits) -> str | None:
    """What can't wait for any comparison."""
    if look.targets.wanted and not look.targets.ready:
        return f"None of {look.targets.wanted} processes of the new version is ready."
    recent = look.recent
    if recent is None or recent.failures < limits.few_failures:
        return None
    if recent.failures < limits.burst_error_rate * recent.requests:
        return None
    seconds = limits.burst_seconds
    return f"A burst of failures within {seconds:g} s: {_failures(recent)} of the new version."


def _worse(new: Window, old: Window, limits: Limits) -> str | None:
    """What the new version surely does worse than the old one."""
    failures, before = _failed(new), _failed(old)
    enough = failures.hits >= limits.few_failures
    if (
        enough
        and failures.rate > limits.negligible_error_rate
        and _surely(failures, before, limits)
    ):
        return f"More failures than before: {_failures(new)}, old version {_failures(old)}."
    for quantile in QUANTILES:
        if reason := _slower(new, old, quantile, limits):
            return reason
    return None


def _slower(new: Window, old: Window, quantile: float, limits: Limits) -> str | None:
    """Whether too many are slower than nearly all of the old version's, and by how much."""
    if sum(old.counts) < limits.minimum_requests:
        return None
    usual = quantile_bound(old, quantile)
    longest = max(usual * limits.maximum_latency_ratio, usual + limits.minimum_latency_ms)
    limit = next_bound(old, longest)
    slow = slower_than(new, limit)
    if slow.hits < limits.few_slow or slow.rate <= 1 - quantile:
        return None
    if not _surely(slow, slower_than(old, limit), limits):
        return None
    found = quantile_bound(new, quantile)
    return (
        f"Slower than before: p{quantile * 100:.0f} is {_within(found)}, "
        f"old version {_within(usual)}; {slow.hits} of {slow.total} took more than {limit:g} ms."
    )


def _surely(new: Trials, old: Trials, limits: Limits) -> bool:
    evidence = log_evidence(new, old, tolerated=limits.tolerated_ratio)
    return evidence >= -math.log(limits.false_alarm)


def _too_many_failures(new: Window, limits: Limits) -> str | None:
    failures = _failed(new)
    if failures.hits < limits.few_failures or failures.rate < limits.maximum_error_rate:
        return None
    return (
        f"{_failures(new)} of the new version; less than {limits.maximum_error_rate:.2%} is asked."
    )


def _summary(new: Window, old: Window) -> str:
    quantiles = ", ".join(
        f"p{quantile * 100:.0f} {_within(quantile_bound(new, quantile))} "
        f"(old {_within(quantile_bound(old, quantile))})"
        for quantile in QUANTILES
    )
    return f"{_failures(new)}, old version {_failures(old)}; {quantiles}."


def _failed(window: Window) -> Trials:
    return Trials(total=window.requests, hits=window.failures)


def _failures(window: Window) -> str:
    rate = _failed(window).rate
    return f"{window.failures} of {window.requests} requests failed ({rate:.2%})"


def _within(milliseconds: float) -> str:
    return "beyond the histogram" if math.isinf(milliseconds) else f"{milliseconds:g} ms"
