"""The whole of `make bench`, with rounds too short to believe but long enough to go wrong."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.folders import DISK
from bench.rows import every_row

pytestmark = pytest.mark.nightly
NAMES = {
    "assignment.accept.p99",
    "assignment.assign.p99",
    "assignment.board.p99",
    "booking.create.direct",
    "booking.create.direct_over_edge",
    "booking.create.echo",
    "booking.create.edge",
    "booking.create.edge_over_echo",
    "booking.create.edge_over_pgbench",
    "booking.create.edge_over_usual",
    "booking.create.mesh",
    "booking.create.mesh_over_edge",
    "booking.create.pgbench",
    "booking.create.usual",
    "booking.latency.achieved",
    "booking.latency.p50",
    "booking.latency.p99",
    "booking.latency.unsent",
    "booking.list.deep.1m_over_10k",
    "booking.list.deep.p99_10k",
    "booking.list.deep.p99_1m",
    "booking.list.first.1m_over_10k",
    "booking.list.first.p99_10k",
    "booking.list.first.p99_1m",
    "booking.read.edge",
    "booking.sustained.cpu.booking",
    "booking.sustained.cpu.edge",
    "booking.sustained.cpu.idle",
    "booking.sustained.cpu.load",
    "booking.sustained.cpu.postgres",
    "booking.sustained.cpu.rest",
    "booking.sustained.edge",
    "booking.sustained.slowest_second",
    "booking.sustained.with_events.cpu.booking",
    "booking.sustained.with_events.cpu.edge",
    "booking.sustained.with_events.cpu.idle",
    "booking.sustained.with_events.cpu.load",
    "booking.sustained.with_events.cpu.postgres",
    "booking.sustained.with_events.cpu.rest",
    "booking.sustained.with_events.cpu.witness",
    "booking.sustained.with_events.cpu.worker",
    "booking.sustained.with_events.drained",
    "booking.sustained.with_events.edge",
    "booking.sustained.with_events.slowest_second",
    "events.drain.consumer",
    "events.drain.relay",
    "events.effect.achieved",
    "events.effect.p50",
    "events.effect.p99",
    "memory.booking-blue-1",
    "memory.platform",
    "memory.postgres",
    "startup.again",
    "startup.first",
}


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder that isn't in memory, as pytest's own may be."""
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        yield Path(folder)


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "bench", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_row_has_its_figures(tmp_path: Path, disk: Path) -> None:
    file = tmp_path / "results.json"
    shortly = ("--rounds", "1", "--seconds", "1", "--output", str(file))
    process = start(*every_row(), *shortly, folder=disk)
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    entries = json.loads(file.read_text())
    assert {entry["name"] for entry in entries} >= NAMES
    assert all(entry.keys() == {"name", "value", "unit", "goal", "met"} for entry in entries)
    assert all((entry["goal"] is None) == (entry["met"] is None) for entry in entries)
    assert all(entry["name"] in output for entry in entries)
    assert not list(disk.glob("ubertruck-bench-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_full_load_it_leaves_nothing(disk: Path, number: signal.Signals) -> None:
    process = start("latency", "--rounds", "1", "--seconds", "60", folder=disk)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "round 1" in line:
                break
        time.sleep(1)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert "nothing to report" in output
    assert not list(disk.glob("ubertruck-bench-*"))
    marked = f"UBERTRUCK_STARTED_FOR={disk}".encode()
    assert not [entry for entry in Path("/proc").glob("[0-9]*") if marked in environment(entry)]


def environment(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""
