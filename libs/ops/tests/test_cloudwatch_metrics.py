"""The figures of a cluster's rollout as CloudWatch has them, of which moto is one over HTTP."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from moto.server import ThreadedMotoServer

from ops.rollout.metrics.cloudwatch import BOUNDS, NAMESPACE, CloudWatchMetrics, cloudwatch
from ops.rollout.ports import Colour

BLUE, GREEN = Colour
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="module")
def metrics() -> Iterator[CloudWatchMetrics]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        # What boto3 reads of whoever runs the tests mustn't lead it anywhere else.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        found = cloudwatch("ap-south-1")
        yield found
        found.client.close()
        server.stop()


def write(
    metrics: CloudWatchMetrics,
    service: str,
    minutes_ago: int,
    *,
    requests: int,
    failures: int = 0,
    buckets: Mapping[str, int] | None = None,
    colour: Colour = GREEN,
) -> None:
    """What came in one minute; `buckets` by the upper bound in milliseconds."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    slot = {"Service": service, "Colour": str(colour)}
    found = [("Requests", slot, requests), ("Failures", slot, failures)]
    for end, count in (buckets or {}).items():
        found.append(("RequestsByLatency", {**slot, "UpTo": end}, count))
    metrics.client.put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": one, "Value": what} for one, what in named.items()],
                "Timestamp": minute,
                "Value": count,
            }
            for name, named, count in found
        ],
    )


async def test_a_window_has_what_came_in_its_minutes(metrics: CloudWatchMetrics) -> None:
    for minutes_ago in (1, 2, 3, 4, 5, 6, 7):
        buckets = {"50": 6, "500": 3, "+Inf": 1}
        write(metrics, "a", minutes_ago, requests=10, failures=2, buckets=buckets)
        write(metrics, "a", minutes_ago, requests=100, colour=BLUE)
    found = await metrics.window("a", GREEN, seconds=300)
    assert found is not None
    assert (found.requests, found.failures) == (50, 10)
    counts = dict(zip([*found.bounds, float("inf")], found.counts, strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {
        50: 30,
        500: 15,
        float("inf"): 5,
    }
    assert tuple(found.bounds) == BOUNDS
    assert found.until - found.since == timedelta(minutes=5)
    other = await metrics.window("a", BLUE, seconds=10)
    assert other is not None
    assert (other.requests, other.failures, sum(other.counts)) == (100, 0, 0)
    assert other.until - other.since == timedelta(minutes=1)


async def test_minutes_in_which_nothing_failed_are_no_gap(metrics: CloudWatchMetrics) -> None:
    write(metrics, "b", 1, requests=10)
    found = await metrics.window("b", GREEN, seconds=300)
    assert found is not None
    assert (found.requests, found.failures) == (10, 0)


async def test_figures_of_long_ago_of_nobody_and_of_other_services_are_none(
    metrics: CloudWatchMetrics,
) -> None:
    write(metrics, "c", 5, requests=10)
    assert await metrics.window("c", GREEN, seconds=300) is None
    assert await metrics.window("nobody", GREEN, seconds=300) is None


async def test_a_cloudwatch_that_is_gone_has_no_figures(
    metrics: CloudWatchMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    gone = cloudwatch("ap-south-1")
    assert await gone.window("a", GREEN, seconds=60) is None
    gone.client.close()
