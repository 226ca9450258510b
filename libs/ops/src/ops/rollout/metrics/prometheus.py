"""The figures of a cluster's rollout, from Prometheus.

`increase()` of PromQL doesn't count the first failure of a series, since the series begins with it.
So the counters themselves are fetched, summed up by process, and what came between two moments is
told here.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from string import Template

import httpx
from pydantic import BaseModel

from ops.releases import NAMESPACE
from ops.rollout.metrics.history import History, Totals
from ops.rollout.ports import Colour, Window

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
# How often Prometheus asks processes: `interval` in the charts' monitors.
SCRAPE_SECONDS = 15.0
# Figures that are older than so many scrapes say nothing of now.
FRESH_SCRAPES = 3
MOST_POINTS = 240


@dataclass(frozen=True, kw_only=True)
class Series:
    """Counters and what names them: labels of a `$service` in a `$colour`, `failed` besides.

    `milliseconds` is the unit of the buckets' bounds.
    """

    requests: str
    buckets: str
    labels: str
    failed: str
    milliseconds: float

    def of(self, service: str, colour: Colour) -> tuple[str, str, str]:
        """Selectors of requests, of failures and of buckets."""
        labels = Template(self.labels).substitute(service=service, colour=colour)
        failed = f"{labels},{self.failed}"
        return (
            f"{self.requests}{{{labels}}}",
            f"{self.requests}{{{failed}}}",
            f"{self.buckets}{{{labels}}}",
        )


# What the mesh's sidecar counts before a process: also that nobody answered. A request that is sent
# once more counts the first time only, by a tag that helm/platform adds.
ISTIO = Series(
    requests="istio_requests_total",
    buckets="istio_request_duration_milliseconds_bucket",
    labels=f'reporter="destination",destination_workload_namespace="{NAMESPACE}",'
    'destination_workload="$service-$colour",request_attempt=~"1|unknown|"',
    failed='response_code=~"5.."',
    milliseconds=1,
)
# What processes say of themselves, with any mesh and without: also what comes by another way, such
# as smoke tests, and every time that a request is sent.
APPS = Series(
    requests="http_request_duration_seconds_count",
    buckets="http_request_duration_seconds_bucket",
    labels=f'namespace="{NAMESPACE}",app_kubernetes_io_name="$service",'
    'app_kubernetes_io_component="api",ubertruck_in_colour="$colour"',
    failed='status=~"5.."',
    milliseconds=1000,
)


class _Found(BaseModel):
    metric: Mapping[str, str] = {}
    values: Sequence[tuple[float, str]] = ()
    value: tuple[float, str] | None = None


class _Data(BaseModel):
    result: Sequence[_Found]


class _Answer(BaseModel):
    data: _Data


@dataclass(frozen=True, kw_only=True)
class PrometheusMetrics:
    """What one Prometheus has of these series. `client` has its address as base URL."""

    client: httpx.AsyncClient
    series: Series
    scrape_seconds: float = SCRAPE_SECONDS

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        """The last `seconds`, and no less than two scrapes; None without fresh figures."""
        try:
            return await self._window(self.series.of(service, colour), seconds)
        except (httpx.HTTPError, ValueError, LookupError) as error:
            logger.warning("Prometheus doesn't tell its figures: %s", error)
            return None

    async def _window(self, selectors: tuple[str, str, str], seconds: float) -> Window | None:
        requests, failures, buckets = selectors
        latest = await self._latest(requests)
        if not datetime.now(UTC).timestamp() - latest <= FRESH_SCRAPES * self.scrape_seconds:
            return None
        # Whole seconds, so that Prometheus and we mean the same moments.
        until = math.ceil(latest)
        step = math.ceil(max(self.scrape_seconds, seconds / MOST_POINTS))
        points = max(2, int(seconds // step))
        times = [until - step * back for back in range(points, -1, -1)]
        history = _history(
            times,
            await self._range(f"sum by (instance) ({requests})", times, step),
            await self._range(f"sum by (instance) ({failures})", times, step),
            await self._range(f"sum by (instance, le) ({buckets})", times, step),
            self.series.milliseconds,
        )
        return history.window("", step * points)

    async def _latest(self, selector: str) -> float:
        """When a process was last asked, in Unix time; 0 if none ever was."""
        found = await self._ask("query", query=f"max(timestamp({selector}))")
        return max((float(one.value[1]) for one in found if one.value), default=0.0)

    async def _range(self, query: str, times: Sequence[int], step: int) -> Sequence[_Found]:
        return await self._ask(
            "query_range", query=query, start=f"{times[0]}", end=f"{times[-1]}", step=f"{step}"
        )

    async def _ask(self, what: str, **params: str) -> Sequence[_Found]:
        answer = await self.client.get(f"/api/v1/{what}", params=params, timeout=TIMEOUT)
        return _Answer.model_validate_json(answer.raise_for_status().content).data.result


def _history(
    times: Sequence[int],
    requests: Sequence[_Found],
    failures: Sequence[_Found],
    buckets: Sequence[_Found],
    milliseconds: float,
) -> History:
    """The counters of every moment by process, also of those before there was any process."""
    edges = sorted({float(one.metric["le"]) for one in buckets} - {math.inf})
    history = History([edge * milliseconds for edge in edges])
    all_of, failed = _by_time(requests), _by_time(failures)
    within = {
        edge: _by_time([one for one in buckets if float(one.metric["le"]) == edge])
        for edge in (*edges, math.inf)
    }
    # A process that isn't there for a moment, since a scrape failed, goes on where it was.
    latest: dict[tuple[str, str], Totals] = {}
    for moment in times:
        for process, count in all_of.get(moment, {}).items():
            latest["", process] = Totals(
                int(count),
                int(failed.get(moment, {}).get(process, 0)),
                _counts([within[edge].get(moment, {}).get(process, 0) for edge in within]),
            )
        history.add(datetime.fromtimestamp(moment, UTC), dict(latest))
    return history


def _by_time(found: Sequence[_Found]) -> dict[int, dict[str, float]]:
    times: dict[int, dict[str, float]] = {}
    for one in found:
        for moment, value in one.values:
            times.setdefault(round(moment), {})[one.metric["instance"]] = float(value)
    return times


def _counts(sums: Sequence[float]) -> tuple[int, ...]:
    return tuple(int(after - before) for before, after in pairwise((0.0, *sums)))
