"""What a killed supervisor leaves behind is found and ended, and nobody else is."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import stale
from ops.errors import OpsError
from ops.state import StateFolder, read_json, write_json

from . import doomed
from .scripts import SLEEP, folder_in
from .support import eventually


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that belongs to somebody else."""
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        yield process
        process.kill()


def kill_a_supervisor_of(folder: StateFolder, script: str) -> None:
    command = [sys.executable, doomed.__file__, str(folder.root), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:  # noqa: S603 - ours
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"up\n"
        supervisor.kill()


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()


def pid_in(path: Path) -> int:
    return int(path.read_text())


async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    kill_a_supervisor_of(folder, f"echo $$ > {tmp_path}/pid; {SLEEP}")
    pid = pid_in(tmp_path / "pid")
    await eventually(lambda: not is_alive(pid))
    assert stale.end_leftovers(folder) == []


async def test_what_outlived_the_supervisor_is_ended(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    pid_file = tmp_path / "pid"
    escaped = f"setsid sh -c 'trap \"\" TERM; echo $$ > {pid_file}; {SLEEP}' & wait"
    kill_a_supervisor_of(folder, escaped)
    await eventually(lambda: pid_file.exists() and pid_file.read_text() != "")
    pid = pid_in(pid_file)
    assert is_alive(pid)
    assert stale.end_leftovers(folder) != []
    assert not is_alive(pid)


def test_a_recorded_process_is_ended(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> None:
    folder = folder_in(tmp_path)
    stale.record(folder, {"booking-blue-1": stranger.pid})
    assert stale.end_leftovers(folder) == ["booking-blue-1"]
    assert stranger.wait() < 0
    assert not folder.processes_file.exists()


@pytest.mark.parametrize("change", ["started", "boot"])
def test_a_stranger_with_the_same_number_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes], change: str
) -> None:
    folder = folder_in(tmp_path)
    stale.record(folder, {"booking-blue-1": stranger.pid})
    recorded = dict(read_json(folder.processes_file))
    if change == "started":
        recorded["processes"] = {"booking-blue-1": [stranger.pid, 1]}
    else:
        recorded["boot"] = "another"
    write_json(folder.processes_file, recorded)
    assert stale.end_leftovers(folder) == []
    assert is_alive(stranger.pid)


def test_another_platform_is_left_alone(tmp_path: Path) -> None:
    ours, theirs = folder_in(tmp_path / "a"), folder_in(tmp_path / "b")
    with subprocess.Popen(["/bin/sleep", "1000"], env=stale.mark(theirs)) as process:
        assert stale.end_leftovers(ours) == []
        assert is_alive(process.pid)
        assert stale.end_leftovers(theirs) == ["sleep"]


def test_a_record_that_is_no_json_is_passed_over(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    folder.processes_file.write_bytes(b"{")
    assert stale.end_leftovers(folder) == []


def test_a_process_that_does_not_go_is_named(
    tmp_path: Path, stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_in(tmp_path)
    stale.record(folder, {"booking-blue-1": stranger.pid})
    monkeypatch.setattr(stale, "PATIENCE", 0.0)
    monkeypatch.setattr(signal, "SIGKILL", signal.SIGCONT)
    with pytest.raises(OpsError, match=str(stranger.pid)):
        stale.end_leftovers(folder)
