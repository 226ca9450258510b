"""The figures of a laptop's rollout: what the mesh's Envoy counts before each process.

It counts at the callee's side, connections refused and time-outs included, and requests that are
sent once more apart from the others (`mesh.dataplane.stats`).
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx
from pydantic import BaseModel

from mesh.dataplane.stats import BOUNDS, FIRST_ATTEMPTS
from ops.rollout.metrics.history import History, Totals
from ops.rollout.ports import Colour, Window

logger = logging.getLogger(__name__)

PERIOD = 1.0
TIMEOUT = 2.0
# Figures older than this say nothing of now.
FRESH_SECONDS = 5.0
_NAME = re.compile(
    rf"vhost\.([^./]+)/([^./]+)\.vcluster\.{FIRST_ATTEMPTS}\.upstream_rq_(total|completed|5xx|time)"
)


class _Bucket(BaseModel):
    upper_bound: float
    cumulative: int


class _Histogram(BaseModel):
    name: str
    buckets: Sequence[_Bucket]


class _Stat(BaseModel):
    name: str = ""
    value: int = 0
    histograms: Sequence[_Histogram] = ()


class _Stats(BaseModel):
    stats: Sequence[_Stat]


class EnvoyMetrics:
    """What one Envoy counted since somebody began to look; made by `watching`."""

    def __init__(self) -> None:
        self._history = History(BOUNDS)

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        """The last `seconds`, or as far as it was looked; None without fresh figures."""
        until = self._history.until
        if until is None or (datetime.now(UTC) - until).total_seconds() > FRESH_SECONDS:
            return None
        return self._history.window(f"{service}-{colour}", seconds)

    async def look(self, client: httpx.AsyncClient) -> None:
        """Take in what Envoy counts now; what it doesn't tell is missing, and grows stale."""
        query = {"filter": f"^{_NAME.pattern}$", "format": "json"}
        try:
            answer = await client.get("/stats", params={**query, "histogram_buckets": "cumulative"})
            found = totals(answer.content)
        except (httpx.HTTPError, ValueError, LookupError) as error:
            logger.warning("the mesh's Envoy doesn't tell its figures: %s", error)
            return
        self._history.add(datetime.now(UTC), found)


@asynccontextmanager
async def watching(socket: Path) -> AsyncGenerator[EnvoyMetrics]:
    """The figures of the Envoy whose admin interface is at `socket`, while the body runs."""
    metrics = EnvoyMetrics()
    transport = httpx.AsyncHTTPTransport(uds=str(socket))

    async def again_and_again(client: httpx.AsyncClient) -> None:
        while True:
            await metrics.look(client)
            await asyncio.sleep(PERIOD)

    async with httpx.AsyncClient(
        transport=transport, base_url="http://envoy", timeout=TIMEOUT
    ) as client:
        task = asyncio.create_task(again_and_again(client))
        try:
            yield metrics
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def totals(told: bytes) -> dict[tuple[str, str], Totals]:
    """The counters by virtual node and process; ValueError or LookupError when told otherwise."""
    values: dict[tuple[str, str], dict[str, int]] = {}
    counts: dict[tuple[str, str], tuple[int, ...]] = {}
    for one in _Stats.model_validate_json(told).stats:
        if match := _NAME.fullmatch(one.name):
            node, process, what = match.groups()
            values.setdefault((node, process), {})[what] = one.value
        for histogram in one.histograms:
            if match := _NAME.fullmatch(histogram.name):
                counts[match[1], match[2]] = _by_bucket(histogram)
    return {key: _totals(value, counts.get(key)) for key, value in values.items()}


def _totals(values: Mapping[str, int], counts: tuple[int, ...] | None) -> Totals:
    """What isn't told hasn't happened yet: Envoy makes most counters when it first needs them."""
    nothing = (0,) * (len(BOUNDS) + 1)
    return Totals(values.get("completed", 0), values.get("5xx", 0), counts or nothing)


def _by_bucket(histogram: _Histogram) -> tuple[int, ...]:
    """Counts from sums; Envoy doesn't say how many are beyond the last bound, a minute."""
    within = {bucket.upper_bound: bucket.cumulative for bucket in histogram.buckets}
    sums = [0, *(within[bound] for bound in BOUNDS)]
    return (*(after - before for before, after in pairwise(sums)), 0)
