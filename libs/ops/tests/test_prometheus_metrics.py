"""The figures of a cluster's rollout: what a Prometheus has, and what is made of it."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from ops.child import Command, launcher
from ops.ports import LOOPBACK, allot
from ops.rollout.metrics.prometheus import APPS, ISTIO, PrometheusMetrics, Series
from ops.rollout.ports import Colour

SERVICE, GREEN = "booking-service", Colour.GREEN
STEP = 15


@dataclass
class Fake:
    """Prometheus as far as it is asked: `counters` of each process at each scrape, oldest first.

    A counter is requests, failures, and requests within 0.1 s; None where a scrape failed.
    """

    counters: dict[str, list[tuple[int, int, int] | None]]
    age: float = 0.0
    now: int = field(default_factory=lambda: int(time.time()))
    asked: list[str] = field(default_factory=list[str])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        query = params["query"]
        self.asked.append(query)
        if request.url.path == "/api/v1/query":
            latest = self.now - self.age
            return self._result([{"value": [self.now, f"{latest}"]}])
        assert request.url.path == "/api/v1/query_range"
        times = range(int(params["start"]), int(params["end"]) + 1, int(params["step"]))
        if ", le)" in query:
            buckets = [("0.1", 2), ("+Inf", 0)]
            found = [
                {"metric": {"instance": one, "le": le}, "values": self._values(one, what, times)}
                for one in self.counters
                for le, what in buckets
            ]
        else:
            what = 1 if "5.." in query else 0
            found = [
                {"metric": {"instance": one}, "values": self._values(one, what, times)}
                for one in self.counters
            ]
        return self._result(found)

    def _values(self, process: str, what: int, times: range) -> list[list[object]]:
        known = self.counters[process]
        found: list[list[object]] = []
        for moment in times:
            back = (self.now - moment) // STEP
            counter = known[-1 - back] if back < len(known) else None
            # A series begins with its first failure.
            if counter is not None and (what != 1 or counter[1]):
                found.append([moment, str(counter[what])])
        return found

    def _result(self, found: object) -> httpx.Response:
        return httpx.Response(200, json={"status": "success", "data": {"result": found}})


def metrics(
    answers: Callable[[httpx.Request], httpx.Response], series: Series = APPS
) -> PrometheusMetrics:
    transport = httpx.MockTransport(answers)
    client = httpx.AsyncClient(transport=transport, base_url="http://prometheus")
    return PrometheusMetrics(client=client, series=series)


@pytest.mark.parametrize(
    ("counters", "requests", "failures", "counts"),
    [
        # There all the time: what came in 60 s.
        (
            [(9, 3, 5), (10, 3, 6), (14, 3, 8), (14, 3, 8), (20, 3, 12), (30, 4, 16)],
            20,
            1,
            [10, 10],
        ),
        # Came up within the 60 s: all of it, its first failure too.
        ([(0, 0, 0), (5, 2, 1)], 5, 2, [1, 4]),
        # Started anew in between.
        ([(9, 0, 0), (50, 0, 50), (60, 0, 60), (2, 1, 1), (4, 1, 2), (5, 1, 3)], 15, 1, [13, 2]),
        # A scrape failed, which is no new start.
        ([(9, 0, 9), (50, 0, 50), None, (60, 0, 60), None, (61, 0, 61)], 11, 0, [11, 0]),
    ],
)
async def test_a_window_has_what_came_in_it(
    counters: list[tuple[int, int, int] | None], requests: int, failures: int, counts: list[int]
) -> None:
    found = await metrics(Fake({"10.0.0.1:9090": counters})).window(SERVICE, GREEN, seconds=60)
    assert found is not None
    assert (found.requests, found.failures) == (requests, failures)
    assert list(found.counts) == counts
    assert list(found.bounds) == [100.0]
    assert (found.until - found.since).total_seconds() == 60


async def test_processes_add_up() -> None:
    fake = Fake({"a": [(0, 0, 0), (5, 2, 1)], "b": [(7, 0, 7), (9, 0, 9)]})
    found = await metrics(fake).window(SERVICE, GREEN, seconds=600)
    assert found is not None
    assert (found.requests, found.failures, list(found.counts)) == (14, 2, [10, 4])


async def test_less_than_two_scrapes_is_nothing_to_compare() -> None:
    fake = Fake({"a": [(1, 0, 1), (2, 0, 2), (4, 0, 4)]})
    found = await metrics(fake).window(SERVICE, GREEN, seconds=1)
    assert found is not None
    assert (found.until - found.since).total_seconds() == 30
    assert found.requests == 3


async def test_figures_of_long_ago_and_of_nobody_are_none() -> None:
    fake = Fake({"a": [(1, 0, 1)]}, age=50)
    assert await metrics(fake).window(SERVICE, GREEN, seconds=60) is None
    assert await metrics(Fake({})).window(SERVICE, GREEN, seconds=60) is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"status": "error", "error": "no"}),
        httpx.Response(200, json={"data": {"result": [{"metric": {}, "value": [1, "NaN"]}]}}),
        httpx.Response(200, json={"data": {"result": []}}),
    ],
)
async def test_no_answer_is_no_figures(answer: httpx.Response) -> None:
    assert await metrics(lambda _: answer).window(SERVICE, GREEN, seconds=60) is None


async def test_a_prometheus_that_is_gone_has_no_figures() -> None:
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:9") as client:
        gone = PrometheusMetrics(client=client, series=APPS)
        assert await gone.window(SERVICE, GREEN, seconds=60) is None


@pytest.mark.parametrize(
    ("series", "parts"),
    [
        (APPS, ['app_kubernetes_io_name="booking-service"', 'ubertruck_in_colour="green"']),
        (ISTIO, ['destination_workload="booking-service-green"', 'reporter="destination"']),
    ],
)
async def test_every_query_is_for_the_slot(series: Series, parts: list[str]) -> None:
    fake = Fake({"a": [(1, 0, 1)]})
    await metrics(fake, series).window(SERVICE, GREEN, seconds=60)
    assert len(fake.asked) == 4
    for query in fake.asked:
        assert all(part in query for part in parts)


@asynccontextmanager
async def a_real_one(folder: Path, target: int) -> AsyncGenerator[str]:
    """A Prometheus that asks a process each second; its address."""
    port = allot(["prometheus"], folder / "ports.json")["prometheus"]
    labels = {
        "namespace": "ubertruck",
        "app_kubernetes_io_name": SERVICE,
        "app_kubernetes_io_component": "api",
        "ubertruck_in_colour": "green",
    }
    named = "".join(f"          {name}: {value}\n" for name, value in labels.items())
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n  - job_name: a\n    static_configs:\n"
        f"      - targets: ['{LOOPBACK}:{target}']\n        labels:\n{named}"
    )
    program = shutil.which("prometheus")
    assert program is not None
    start = launcher(
        Command(
            argv=[
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
            ],
            env=os.environ,
            log=folder / "prometheus.log",
        )
    )
    child = await start()
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        child.kill_group()
        await child.wait()


@pytest.mark.nightly
@pytest.mark.skipif(  # the tests may demand Python only, and this one runs Prometheus itself
    shutil.which("prometheus") is None, reason="prometheus is not installed"
)
async def test_a_real_prometheus(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    labels = ["method", "route", "status"]
    taken = Histogram(
        "http_request_duration_seconds", "Time", labels, buckets=(0.1, 1), registry=registry
    )

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = generate_latest(registry)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n")
        writer.write(b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with (
        await asyncio.start_server(talk, LOOPBACK, 0) as server,
        a_real_one(tmp_path, server.sockets[0].getsockname()[1]) as address,
        httpx.AsyncClient(base_url=address) as client,
    ):
        real = PrometheusMetrics(client=client, series=APPS, scrape_seconds=1)
        async with asyncio.timeout(60):
            taken.labels("POST", "/v1/booking", "200").observe(0.02)
            while await real.window(SERVICE, GREEN, seconds=30) is None:
                await asyncio.sleep(0.2)
            for status, seconds in (("200", 0.5), ("500", 0.02), ("503", 5)):
                taken.labels("POST", "/v1/booking", status).observe(seconds)
            while True:
                found = await real.window(SERVICE, GREEN, seconds=30)
                if found is not None and found.requests == 4:
                    break
                await asyncio.sleep(0.2)
        assert found.failures == 2
        assert list(found.bounds) == [100.0, 1000.0]
        assert list(found.counts) == [2, 1, 1]
