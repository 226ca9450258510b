"""Ways into a cluster, and what is told by them. Here kubectl only says where it listens."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.rollout.eks.forward import Forwards, Target
from ops.rollout.eks.kubectl import Kubectl
from ops.rollout.eks.telling import ClusterHealth, ClusterMetrics, compared_by, prometheus_of
from ops.rollout.metrics.prometheus import APPS, ISTIO
from ops.rollout.ports import Colour
from ops.rollout.validator import HealthAnswer

from .support import answering

SLOT = Target("deployment/booking-service-green", 8080)
POD = {"metadata": {"name": "green-1"}}
GOING = {"metadata": {"name": "green-2", "deletionTimestamp": "2026-11-24T00:00:00Z"}}
AWAY = {"metadata": {"name": "gone-3"}}
PODS = {"items": [POD, GOING, AWAY]}
KUBECTL = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in
  get*) echo '{pods}'; exit;;
  *gone*) echo 'error: no pods' >&2; exit 1;;
  *mute*) exec sleep 60;;
esac
echo "Forwarding from 127.0.0.1:{port} -> 8080"
exec sleep 60
"""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Puts a kubectl there that forwards to a port, and writes down what it is asked."""

    def install(port: int) -> None:
        path = tmp_path / "kubectl"
        path.write_text(KUBECTL.format(folder=tmp_path, port=port, pods=json.dumps(PODS)))
        path.chmod(0o755)
        # Programs stand beside the interpreter.
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    return install


@contextmanager
def forwards(seconds: float = 20) -> Generator[Forwards]:
    found = Forwards(seconds=seconds)
    try:
        yield found
    finally:
        found.close()


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines()


def ok(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n" + content


async def test_a_way_is_opened_once_and_anew_when_it_is_gone(
    tmp_path: Path, kubectl: Callable[[int], None]
) -> None:
    kubectl(4711)
    with forwards() as ways:
        urls = await asyncio.gather(*(asyncio.to_thread(ways.url, SLOT) for _ in range(5)))
        assert set(urls) == {"http://127.0.0.1:4711"}
        assert asked(tmp_path) == [
            "port-forward --namespace=ubertruck --address=127.0.0.1 "
            "deployment/booking-service-green :8080"
        ]
        ways.close()
        assert ways.url(SLOT) == urls[0]
        assert len(asked(tmp_path)) == 2


def test_where_nobody_is_reached_is_one_sentence(kubectl: Callable[[int], None]) -> None:
    kubectl(4711)
    with forwards(0.5) as ways:
        for name, words in {"gone": "no pods", "mute": "no answer"}.items():
            with pytest.raises(OpsError, match=f"pod/{name} can't be reached: .*{words}"):
                ways.url(Target(f"pod/{name}", 8080))


async def test_each_pod_that_stays_says_how_it_is(
    tmp_path: Path, kubectl: Callable[[int], None]
) -> None:
    async with answering(ok(b"ready")) as port:
        kubectl(port)
        with forwards() as ways:
            health = ClusterHealth(kubectl=Kubectl(), forwards=ways)
            said = await health.health("booking-service", Colour.GREEN, "/readyz")
    assert said == {"green-1": HealthAnswer(200, "ready")}
    selected, *_ = asked(tmp_path)
    assert selected.endswith("component%3Dapi%2Cubertruck.in/colour%3Dgreen")


async def test_without_a_way_to_prometheus_there_are_no_figures(
    kubectl: Callable[[int], None],
) -> None:
    kubectl(4711)
    with forwards(0.5) as ways:
        metrics = ClusterMetrics(forwards=ways, prometheus=Target("pod/gone", 1), series=APPS)
        assert await metrics.window("booking-service", Colour.BLUE, seconds=60) is None


async def test_prometheus_is_asked_where_it_is(
    tmp_path: Path, kubectl: Callable[[int], None]
) -> None:
    empty = b'{"data": {"result": [{"value": [0, "%d"]}]}}' % time.time()
    async with answering(ok(empty)) as port:
        kubectl(port)
        values = {
            "global": {
                "prometheus": "http://prometheus.monitoring.svc.cluster.local:9090",
                "mesh": {"provider": "appmesh"},
            }
        }
        with forwards() as ways:
            metrics = ClusterMetrics(
                forwards=ways, prometheus=prometheus_of(values), series=compared_by(values)
            )
            assert metrics.series is APPS
            window = await metrics.window("booking-service", Colour.BLUE, seconds=60)
            assert window is None or window.requests == 0
    assert "--namespace=monitoring" in asked(tmp_path)[0]
    assert asked(tmp_path)[0].endswith("service/prometheus :9090")
    values["global"]["mesh"] = {"provider": "istio"}
    assert compared_by(values) is ISTIO
