"""The five checks before a version gets requests, and what each of them refuses."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from ops.ports import LOOPBACK
from ops.rollout.dependencies import unconfirmed
from ops.rollout.metrics import envoy
from ops.rollout.metrics.envoy import watching
from ops.rollout.ports import Colour, Metrics, Site, Targets, Window
from ops.rollout.smoke import SMOKE, probes_of
from ops.rollout.validator import HealthAnswer, Required, Validator
from ops.services import SERVICES

from .colours import SERVICE, App, colours
from .windows import READY, window

GREEN = Colour.GREEN
QUICK = Required(requests=40, p90_ms=400, metrics_seconds=0)
STARTED = "process_start_time_seconds 1\n"
FAILED = 'config_refresh_failures_total{path="pricing",reason="no"} 3\n'
FINE = {"/readyz": HealthAnswer(200, "ready\n"), "/metrics": HealthAnswer(200, STARTED)}


@dataclass
class Place:
    """A site, its health ports and its figures, as a validator sees them."""

    url: str
    app: App
    ready: Targets = READY
    said: Mapping[str, HealthAnswer] | None = None
    figures: Window | None = None

    async def targets(self, service: str, colour: Colour) -> Targets:
        return self.ready

    def address(self, service: str, colour: Colour) -> str:
        return self.url

    async def health(self, service: str, colour: Colour, path: str) -> dict[str, HealthAnswer]:
        answers = FINE if self.said is None else self.said
        return {"booking-green-1": answers[path]} if path in answers else {}

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        assert seconds == 300
        return self.figures

    async def findings(self, required: Required = QUICK) -> list[str]:
        validator = Validator(
            site=cast("Site", self),
            metrics=cast("Metrics", self),
            health=self,
            required=required,
        )
        return [str(found) for found in await validator.findings(SERVICE, GREEN)]


def good(app: App) -> None:
    for probe in probes_of(SERVICE):
        app.answers[probe.path] = (probe.status, probe.holds.encode())


@asynccontextmanager
async def place() -> AsyncGenerator[Place]:
    """A version that answers as it should, and whose figures are as they should be."""
    app = App()
    good(app)
    async with app.listening():
        yield Place(f"http://{LOOPBACK}:{app.port}", app, figures=window(40))


async def test_a_good_version_has_no_findings_and_is_asked_as_an_operator_asks() -> None:
    async with place() as there:
        assert await there.findings() == []
        assert there.app.seen == QUICK.requests
        assert there.app.colours == {"green"}


@pytest.mark.parametrize("ready", [Targets(2, 2, 1), Targets(1, 0, 0), Targets(0, 0, 0)])
async def test_too_few_ready_processes_end_it_at_once(ready: Targets) -> None:
    async with place() as there:
        there.ready = ready
        (found,) = await there.findings()
        assert found == f"target health: {ready.ready} of {ready.wanted} processes are ready"
        assert there.app.seen == 0


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("/readyz", HealthAnswer(503, "not ready: draining\n"), "is not ready: draining"),
        ("/metrics", HealthAnswer(500, ""), "booking-green-1: its metrics answer 500"),
        ("/metrics", HealthAnswer(200, "{no metrics"), "its metrics can't be read"),
        (
            "/metrics",
            HealthAnswer(200, f"{STARTED}{FAILED}"),
            "configuration pricing was never confirmed since the start",
        ),
        ("/metrics", HealthAnswer(200, FAILED), "its metrics don't say when it started"),
        ("/metrics", None, "0 of 1 processes say how they are"),
        ("/readyz", None, "0 of 1 processes say how they are"),
    ],
)
async def test_dependencies_that_are_missing(
    path: str, answer: HealthAnswer | None, words: str
) -> None:
    async with place() as there:
        there.said = {name: one for name, one in {**FINE, path: answer}.items() if one}
        (found,) = await there.findings()
        assert found.startswith("dependencies: ")
        assert words in found
        assert there.app.seen == 0


async def test_a_process_that_says_nothing_is_missed() -> None:
    async with place() as there:
        there.ready = Targets(wanted=2, running=2, ready=2)
        assert await there.findings() == ["dependencies: 1 of 2 processes say how they are"]
        assert there.app.seen == 0


async def test_a_smoke_test_that_fails_is_named() -> None:
    async with place() as there:
        there.app.fails_each = 20
        there.app.answers["/openapi.json"] = (200, b"<html>")
        found = await there.findings()
        assert all(one.startswith("smoke tests: ") for one in found)
        assert any(
            'of 40 times, GET /openapi.json answered without "openapi"' in one for one in found
        )
        assert any("answered 500 instead of" in one for one in found)


async def test_a_version_that_can_t_be_reached() -> None:
    async with place() as there:
        gone = replace(there)
    found = await gone.findings()
    assert "failed (ConnectError)" in found[0]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (None, "error rate: there are no fresh figures"),
        (window(39), "error rate: too few requests are counted: 39 of 40"),
        (
            window(100, 1),
            "error rate: 1 of 100 requests failed (1.00%), and less than 1.00% is asked",
        ),
        (window(40, times=[900.0] * 5), "latency: p90 is 1000 ms, and 400 ms is asked"),
        (window(40, times=[90_000.0] * 5), "latency: p90 is inf ms, and 400 ms is asked"),
    ],
)
async def test_figures_that_are_missing_too_few_or_bad(figures: Window | None, words: str) -> None:
    async with place() as there:
        there.figures = figures
        assert await there.findings() == [words]


async def test_it_asks_a_real_envoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy, "PERIOD", 0.05)
    required = Required(requests=40)
    async with colours(tmp_path, green=100) as running, watching(running.socket) as metrics:
        app = running.apps[GREEN]
        good(app)
        there = Place(f"http://{LOOPBACK}:{running.ports['green']}", app)
        while await metrics.window(SERVICE, GREEN, seconds=300) is None:
            await asyncio.sleep(0.01)
        validator = Validator(
            site=cast("Site", there), metrics=metrics, health=there, required=required
        )
        assert list(await validator.findings(SERVICE, GREEN)) == []
        # What nobody of the smoke tests sees, somebody else does.
        app.answers["/v1/quotes"] = (500, b"")
        await running.send(5, path="/v1/quotes")
        (found,) = await validator.findings(SERVICE, GREEN)
        assert found.check == "error rate"
        assert "5 of " in found.words


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def told(**confirmed: float) -> str:
    """Metrics of a process that started 300 s ago; the other times are seconds ago, too."""
    at = NOW.timestamp()
    lines = [f"process_start_time_seconds {at - 300}"]
    lines += [
        f'config_confirmed_timestamp_seconds{{path="{path}"}} {at - ago}'
        for path, ago in confirmed.items()
    ]
    return "\n".join([*lines, ""])


def test_what_was_confirmed_lately_is_well() -> None:
    assert unconfirmed(told(pricing=12, trips=89), NOW) == []
    assert unconfirmed(told(), NOW) == []


def test_what_was_not_confirmed_lately_or_never_since_the_start_is_not() -> None:
    assert unconfirmed(told(pricing=91, trips=301), NOW) == [
        "configuration pricing was last confirmed 91 s ago",
        "configuration trips was never confirmed since the start",
    ]
    keys = told() + 'keys_confirmed_timestamp_seconds{issuer="auth-service"} 0.0\n'
    assert unconfirmed(keys, NOW) == ["keys of auth-service was never confirmed since the start"]
    failed = told() + 'config_refresh_failures_total{path="pricing",reason="unreachable"} 2\n'
    assert unconfirmed(failed, NOW) == ["configuration pricing was never confirmed since the start"]


def test_every_service_has_smoke_tests_of_its_own() -> None:
    assert SMOKE.keys() == {service.virtual for service in SERVICES}
