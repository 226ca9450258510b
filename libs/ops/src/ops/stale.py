"""Processes that an earlier run left behind, found by who they are and ended.

A process is known by its id together with its start time, so that a stranger who was given the
same id is left alone; and by a mark in its environment, which its children inherit.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from ops.errors import OpsError
from ops.state import StateFolder, read_json, write_json

MARK = "UBERTRUCK_STARTED_FOR"
PATIENCE = 10.0
POLL = 0.02


def mark(folder: StateFolder) -> dict[str, str]:
    """The environment variable that marks a process as belonging to `folder`."""
    return {MARK: str(folder.root)}


def record(folder: StateFolder, running: Mapping[str, int]) -> None:
    """Write down the process ids that run now, by name."""
    found = {name: [pid, _started(pid)] for name, pid in running.items()}
    write_json(folder.processes_file, {"boot": _boot(), "processes": found})


def end_leftovers(folder: StateFolder) -> list[str]:
    """Kill what an earlier run left behind; the names of what was found.

    OpsError when something doesn't go away.
    """
    found = dict(_recorded(folder)) | dict(_marked(folder))
    for pid in found:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    _await_end(found)
    folder.processes_file.unlink(missing_ok=True)
    return sorted(set(found.values()))


def _recorded(folder: StateFolder) -> Iterator[tuple[int, str]]:
    content = read_json(folder.processes_file)
    if content.get("boot") != _boot():
        return
    processes = cast("dict[str, list[int]]", content.get("processes", {}))
    for name, (pid, started) in processes.items():
        if _started(pid) == started and not _is_over(pid):
            yield pid, name


def _marked(folder: StateFolder) -> Iterator[tuple[int, str]]:
    wanted = f"{MARK}={folder.root}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name), (entry / "comm").read_text(errors="replace").strip()


def _await_end(pids: Mapping[int, str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while left := [pid for pid in pids if not _is_over(pid)]:
        if time.monotonic() > deadline:
            raise OpsError(f"Processes of an earlier run don't end: {left}. End them first.")
        time.sleep(POLL)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _started(pid: int) -> int:
    """When `pid` was started, in clock ticks since boot; 0 when there is no such process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _is_over(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[0] == "Z"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
