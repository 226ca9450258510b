"""What a process says of what it depends on, read from its health port.

`/readyz` speaks of its own database and schema. Whether it reaches its neighbours is no matter of
readiness, and stands in `/metrics`: when they last confirmed what it has of them.
"""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

# Each is confirmed once in this time at the latest, while all is well.
FRESH_SECONDS = 90.0
STARTED = "process_start_time_seconds"
CONFIRMED = {
    "config_confirmed_timestamp_seconds": ("configuration", "path"),
    "keys_confirmed_timestamp_seconds": ("keys of", "issuer"),
}
FAILED = ("config_refresh_failures_total", "configuration", "path")


def unconfirmed(metrics: str, now: datetime) -> list[str]:
    """The dependencies that haven't answered a process, or not lately, in words.

    What was kept on disk from an earlier process doesn't count. ValueError when the text is none.
    """
    started: float | None = None
    confirmed: dict[str, float] = {}
    for name, labels, value in _samples(metrics):
        if name == STARTED:
            started = value
        elif name in CONFIRMED:
            what, label = CONFIRMED[name]
            confirmed[f"{what} {labels[label]}"] = value
        elif name == FAILED[0]:
            confirmed.setdefault(f"{FAILED[1]} {labels[FAILED[2]]}", 0.0)
    if started is None:
        return ["its metrics don't say when it started"]
    return [
        words
        for what, at in sorted(confirmed.items())
        if (words := _wrong(what, at, started, now.timestamp()))
    ]


def _samples(metrics: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _wrong(what: str, at: float, started: float, now: float) -> str | None:
    if not at or at < started:
        return f"{what} was never confirmed since the start"
    if now - at > FRESH_SECONDS:
        return f"{what} was last confirmed {now - at:.0f} s ago"
    return None
