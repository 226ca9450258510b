"""The figures of a cluster's rollout, from CloudWatch.

Three metrics of the namespace `Ubertruck`, each with the dimensions `Service` and `Colour`, written
once a minute as what came in it: `Requests`, `Failures`, and `RequestsByLatency` with the bucket's
upper bound in milliseconds as a third dimension `UpTo`, `+Inf` for the last one. CloudWatch's own
percentiles can't be added up over processes and minutes; counts can.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chassis.telemetry import BUCKETS_SECONDS
from ops.rollout.ports import Colour, Window

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

logger = logging.getLogger(__name__)

NAMESPACE = "Ubertruck"
PERIOD = 60
# So late a minute may be written.
FRESH_SECONDS = 180.0
BOUNDS = tuple(seconds * 1000 for seconds in BUCKETS_SECONDS)
_REQUESTS, _FAILURES = "requests", "failures"
_CONFIG = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)


@dataclass(frozen=True, kw_only=True)
class CloudWatchMetrics:
    """What CloudWatch has of one environment; region, credentials and endpoint are boto3's."""

    client: "CloudWatchClient"

    async def window(self, service: str, colour: Colour, *, seconds: float) -> Window | None:
        """The last `seconds` in whole minutes, one at least; None without fresh figures."""
        try:
            return await asyncio.to_thread(self._window, service, colour, seconds)
        except (BotoCoreError, ClientError) as error:
            logger.warning("CloudWatch doesn't tell its figures: %s", error)
            return None

    def _window(self, service: str, colour: Colour, seconds: float) -> Window | None:
        now = datetime.now(UTC)
        end = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        asked = timedelta(minutes=max(1, int(seconds // PERIOD)))
        late = timedelta(seconds=FRESH_SECONDS)
        found = self._ask(service, colour, end - asked - late, end)
        if not found[_REQUESTS] or now - max(found[_REQUESTS]) > late:
            return None
        until = max(found[_REQUESTS]) + timedelta(seconds=PERIOD)
        since = until - asked
        sums = {
            name: int(sum(value for at, value in values.items() if at >= since))
            for name, values in found.items()
        }
        return Window(
            since=since,
            until=until,
            requests=sums[_REQUESTS],
            failures=sums[_FAILURES],
            bounds=BOUNDS,
            counts=[sums[_bucket(place)] for place in range(len(BOUNDS) + 1)],
        )

    def _ask(
        self, service: str, colour: Colour, start: datetime, end: datetime
    ) -> Mapping[str, Mapping[datetime, float]]:
        """What came in each minute, by the names of the queries."""
        queries = _queries(service, colour)
        found: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
        pages = self.client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=start, EndTime=end
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                times, values = result.get("Timestamps", []), result.get("Values", [])
                found[result.get("Id", "")].update(zip(times, values, strict=True))
        return found


def cloudwatch(region: str) -> CloudWatchMetrics:
    """The figures of a region."""
    # Its stub names the clients of all services, of which few have types here.
    client = cast("Any", boto3).client("cloudwatch", region_name=region, config=_CONFIG)
    return CloudWatchMetrics(client=client)


def _queries(service: str, colour: Colour) -> Sequence["MetricDataQueryTypeDef"]:
    slot = {"Service": service, "Colour": colour}
    ends = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return [
        _query(_REQUESTS, "Requests", slot),
        _query(_FAILURES, "Failures", slot),
        *(
            _query(_bucket(place), "RequestsByLatency", {**slot, "UpTo": end})
            for place, end in enumerate(ends)
        ),
    ]


def _query(name: str, metric: str, dimensions: Mapping[str, str]) -> "MetricDataQueryTypeDef":
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric,
                "Dimensions": [{"Name": one, "Value": value} for one, value in dimensions.items()],
            },
            "Period": PERIOD,
            "Stat": "Sum",
        },
    }


def _bucket(place: int) -> str:
    return f"bucket{place}"
