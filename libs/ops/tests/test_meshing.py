"""`ubertruck mesh`: what it says of manifests, and how it draws what Envoys tell."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mesh.appmesh.manifests import Manifests
from ops.errors import OpsError
from ops.meshing.commands import diff, render, validate
from ops.meshing.figures import Instance, Told, figures
from ops.meshing.picture import Picture, drawn
from ops.plane import MANIFESTS, read_manifests

BOOKING = "booking-service"
INSTANCES = [
    Instance(name="booking-blue-1", node="booking-service-blue", port=1),
    Instance(name="booking-blue-2", node="booking-service-blue", port=2),
]


@pytest.fixture(scope="module")
def manifests() -> Manifests:
    return read_manifests()


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The routing with one number changed."""
    text = (MANIFESTS / "routing.yaml").read_text()
    path = tmp_path / "routing.yaml"
    path.write_text(text.replace("maxRetries: 3", "maxRetries: 2", 1))
    return path


def test_the_rendered_manifests_are_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate([]) == 0
    assert "nothing wrong" in capsys.readouterr().out


def test_faults_are_told_with_their_places(
    changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate([changed]) == 1
    shown = capsys.readouterr().out
    assert "there is no VirtualNode" in shown
    changed.write_text(changed.read_text().replace("weightedTargets:", "weighted:", 1))
    assert validate([changed]) == 1
    assert "action.weighted: is no key" in capsys.readouterr().out


def test_a_caller_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    render([], "edge")
    shown = json.loads(capsys.readouterr().out)
    hosts = [host["name"] for host in shown["routes"]["virtual_hosts"]]
    assert "booking-service.ubertruck.local" in hosts
    with pytest.raises(OpsError, match=r"Those that do: .*edge"):
        render([], "nobody")


def test_differences_are_those_of_meaning(
    changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = MANIFESTS / "routing.yaml"
    assert diff(original, changed) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("~ VirtualRouter")
    assert [line.strip().rpartition(": ")[2] for line in lines[1:]] == ["3", "2"]
    changed.write_text("# another text\n" + original.read_text())
    assert diff(original, changed) == 0


def test_objects_that_came_or_went_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert diff(empty, MANIFESTS / "routing.yaml") == 1
    assert "+ VirtualService booking-service" in capsys.readouterr().out


def told(**counters: int) -> Told:
    """An Envoy's word on the first process; the second one is ejected by the edge."""
    host: dict[str, Any] = {
        "address": {"socket_address": {"port_value": 2}},
        "health_status": {"failed_outlier_check": True},
    }
    return Told(
        stats={
            f"cluster.ingress_booking-blue-1.upstream_rq_{name}": value
            for name, value in counters.items()
        },
        clusters=[
            {"name": "egress_edge_booking-service-blue", "host_statuses": [host]},
            {"name": "ingress_booking-blue-2", "host_statuses": [host]},
        ],
    )


def picture(manifests: Manifests, **counters: int) -> Picture:
    weights = {BOOKING: {"booking-service-blue": 90, "booking-service-green": 10}}
    return figures(manifests, weights, INSTANCES, [told(**counters)])


def text(now: Picture, before: Picture | None, width: int = 100) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(drawn(now, before, 2.0))
    return console.export_text()


def test_the_picture_shows_weights_rates_pools_and_ejections(manifests: Manifests) -> None:
    before = picture(manifests, total=10, **{"5xx": 0}, pending_overflow=0)
    now = picture(manifests, total=110, **{"5xx": 5}, active=50, pending_active=3)
    shown = text(now, before)
    first, second, green = shown.splitlines()[2:5]
    pool = now[BOOKING][0].processes[0].connections
    assert f"50/{pool}" in first
    assert "50.0" in first
    assert "2.5" in first
    assert "serves" in first
    assert "ejected by edge" in second
    assert "no process" in green
    assert " 10 " in green


def test_the_picture_fits_a_terminal_of_80_columns(manifests: Manifests) -> None:
    before, now = (
        picture(manifests),
        picture(manifests, total=99_999, active=200, pending_active=100),
    )
    assert "…" not in text(now, before, width=80)


def test_a_pool_that_overflows_is_an_open_circuit(manifests: Manifests) -> None:
    before, now = picture(manifests), picture(manifests, pending_overflow=8)
    assert "open: 4.0 refused/s" in text(now, before)
    assert "open:" not in text(now, None)
