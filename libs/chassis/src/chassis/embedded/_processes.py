"""Which processes serve a data folder: told by what they are, never by a number in a file alone."""

import os
import signal
import time
from pathlib import Path

from chassis.embedded._errors import EmbeddedPostgresError

POLL_SECONDS = 0.01


def serving_pid(data_dir: Path) -> int | None:
    """The process that serves this data folder right now."""
    recorded = _pid_file(data_dir)[0]
    return int(recorded) if recorded.isdigit() and serves(int(recorded), data_dir) else None


def is_ready(data_dir: Path, pid: int) -> bool:
    """Whether the server with this process id takes connections."""
    lines = _pid_file(data_dir)
    return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"


def clear_leftovers(data_dir: Path, seconds: float) -> None:
    """End what an earlier run left serving this folder, and remove a stale `postmaster.pid`."""
    pid = serving_pid(data_dir)
    if pid is not None:
        end(pid, signal.SIGINT)
    # A killed postmaster's children notice and leave; starting over them would spoil the data.
    deadline = time.monotonic() + seconds
    while left := _all_serving(data_dir):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"Another Postgres (process {min(left)}) serves {data_dir} and doesn't stop."
            )
        time.sleep(POLL_SECONDS)
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def end(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone already is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        raise EmbeddedPostgresError(
            f"Process {pid} belongs to another user and can't be stopped."
        ) from None


def _pid_file(data_dir: Path) -> list[str]:
    try:
        return (data_dir / "postmaster.pid").read_text().split("\n")
    except OSError:
        return [""]


def _all_serving(data_dir: Path) -> list[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if serves(pid, data_dir)]


def serves(pid: int, data_dir: Path) -> bool:
    """Whether this process is a living Postgres process of this data folder."""
    process = Path("/proc", str(pid))
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return False
        try:
            # Every Postgres process stands in its data folder; a dead one stands nowhere.
            return (process / "cwd").readlink() == data_dir
        except PermissionError:
            return str(data_dir) in (process / "cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
