"""Whether a version that gets no requests yet may get some: five checks, each of which can refuse.

Only operators reach it, so the smoke tests make the requests that error rate and latency are
measured by. What is missing, stale or too little is a failure. A check that fails ends the
validation: those after it would only say the same again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import cycle, islice
from typing import Protocol

import httpx

from ops.edge import COLOUR_HEADER
from ops.rollout.dependencies import unconfirmed
from ops.rollout.latency import quantile_bound
from ops.rollout.ports import Colour, Metrics, Site, Window
from ops.rollout.smoke import Probe, probes_of, what_is_wrong

AT_ONCE = 4
TIMEOUT = 10.0
PAUSE = 0.5
TOLD = 3


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """What a process's health port answers."""

    status: int
    text: str


class Health(Protocol):
    """The way to the health ports of a colour's processes."""

    async def health(self, service: str, colour: Colour, path: str) -> Mapping[str, HealthAnswer]:
        """What each process answers to `GET path`, by process; those that don't are left out."""
        ...


@dataclass(frozen=True, kw_only=True)
class Required:
    """What a version has to show. `metrics_seconds` is how long figures may take to arrive."""

    requests: int = 100
    error_rate: float = 0.01
    window_seconds: float = 300.0
    p90_ms: float = 500.0
    metrics_seconds: float = 60.0


REQUIRED = Required()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found wrong."""

    check: str
    words: str

    def __str__(self) -> str:
        return f"{self.check}: {self.words}"


@dataclass(frozen=True, kw_only=True)
class Validator:
    """The checks and what they look at. `metrics` must count requests to `Site.address` too."""

    site: Site
    metrics: Metrics
    health: Health
    required: Required = REQUIRED

    async def findings(self, service: str, colour: Colour) -> Sequence[Finding]:
        """What is wrong with a colour, by the first check that finds anything; nothing if all do.

        OpsError when the site can't be asked.
        """
        checks: Sequence[Callable[[str, Colour], Awaitable[Sequence[Finding]]]] = (
            self._targets,
            self._dependencies,
            self._smoke,
            self._figures,
        )
        for check in checks:
            if found := await check(service, colour):
                return found
        return []

    async def _targets(self, service: str, colour: Colour) -> Sequence[Finding]:
        targets = await self.site.targets(service, colour)
        if targets.wanted and targets.ready >= targets.wanted:
            return []
        words = f"{targets.ready} of {targets.wanted} processes are ready"
        return [Finding("target health", words)]

    async def _dependencies(self, service: str, colour: Colour) -> Sequence[Finding]:
        wanted = (await self.site.targets(service, colour)).wanted
        said = await self.health.health(service, colour, "/readyz")
        wrong = [
            f"{process} is {answer.text.strip()}"
            for process, answer in said.items()
            if answer.status != HTTPStatus.OK
        ]
        told = await self.health.health(service, colour, "/metrics")
        for process, answer in told.items():
            wrong += [f"{process}: {words}" for words in _unconfirmed(answer)]
        if (telling := min(len(said), len(told))) < max(1, wanted):
            wrong.append(f"{telling} of {wanted} processes say how they are")
        return [Finding("dependencies", words) for words in wrong]

    async def _smoke(self, service: str, colour: Colour) -> Sequence[Finding]:
        address = await asyncio.to_thread(self.site.address, service, colour)
        probes = islice(cycle(probes_of(service)), self.required.requests)
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(
            base_url=address, headers={COLOUR_HEADER: colour}, timeout=TIMEOUT, trust_env=False
        ) as client:

            async def one(probe: Probe) -> str | None:
                async with gate:
                    return await what_is_wrong(client, probe)

            found = await asyncio.gather(*(one(probe) for probe in probes))
        wrong = [words for words in found if words]
        return [
            Finding("smoke tests", f"{wrong.count(words)} of {len(found)} times, {words}")
            for words in list(dict.fromkeys(wrong))[:TOLD]
        ]

    async def _figures(self, service: str, colour: Colour) -> Sequence[Finding]:
        window = await self._awaited(service, colour)
        if window is None:
            return [Finding("error rate", "there are no fresh figures")]
        required = self.required
        if window.requests < required.requests or sum(window.counts) < required.requests:
            words = f"too few requests are counted: {window.requests} of {required.requests}"
            return [Finding("error rate", words)]
        return [*_error_rate(window, required), *_latency(window, required)]

    async def _awaited(self, service: str, colour: Colour) -> Window | None:
        """The figures, once what the smoke tests did is among them, or in the end."""
        deadline = time.monotonic() + self.required.metrics_seconds
        while True:
            window = await self.metrics.window(
                service, colour, seconds=self.required.window_seconds
            )
            counted = min(window.requests, sum(window.counts)) if window else 0
            if counted >= self.required.requests or time.monotonic() >= deadline:
                return window
            await asyncio.sleep(PAUSE)


def _unconfirmed(answer: HealthAnswer) -> list[str]:
    if answer.status != HTTPStatus.OK:
        return [f"its metrics answer {answer.status}"]
    try:
        return unconfirmed(answer.text, datetime.now(UTC))
    except (ValueError, LookupError):
        return ["its metrics can't be read"]


def _error_rate(window: Window, required: Required) -> list[Finding]:
    if window.failures < required.error_rate * window.requests:
        return []
    rate = window.failures / window.requests
    words = f"{window.failures} of {window.requests} requests failed ({rate:.2%})"
    return [Finding("error rate", f"{words}, and less than {required.error_rate:.2%} is asked")]


def _latency(window: Window, required: Required) -> list[Finding]:
    found = quantile_bound(window, 0.9)
    if found <= required.p90_ms:
        return []
    return [Finding("latency", f"p90 is {found:g} ms, and {required.p90_ms:g} ms is asked")]
