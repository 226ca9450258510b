"""Commands that ask the running platform, and show what it answers."""

import json
import time
from collections.abc import Mapping
from typing import cast

from ops import control
from ops.console import Screen
from ops.errors import OpsError
from ops.memory import MIB
from ops.sessions import Sessions
from ops.state import StateFolder

STOPPING = 60.0
POLL = 0.05


def url_of(folder: StateFolder) -> str:
    """Where the running platform's edge is; OpsError when none runs."""
    answer = cast("Mapping[str, object]", control.call(folder, "ping"))
    return str(answer["url"])


def sessions_of(folder: StateFolder) -> Sessions:
    """Sessions at the running platform."""
    return Sessions(folder, url_of(folder))


def stop_platform(folder: StateFolder) -> None:
    """Ask the running platform to stop and return when it is gone."""
    control.call(folder, "stop-all")
    deadline = time.monotonic() + STOPPING
    while time.monotonic() < deadline:
        try:
            with folder.lock():
                return
        except OpsError:
            time.sleep(POLL)
    raise OpsError(f"Ubertruck is still stopping on {folder.root} after {STOPPING:g} s.")


def show_status(folder: StateFolder, *, as_json: bool) -> None:
    """Print a table of the running processes."""
    answer = cast("Mapping[str, object]", control.call(folder, "status"))
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    screen = Screen()
    rows = cast("list[Mapping[str, object]]", answer["processes"])
    heads = ["Process", "State", "Pid", "Restarts", "Up", "MiB", "Port"]
    screen.table(heads, [_cells(row) for row in rows])
    total = cast("int", answer["memory"]) / MIB
    screen.say(f"\n{answer['url']}, {total:.0f} MiB in all (proportional set size)")


def _cells(row: Mapping[str, object]) -> list[str]:
    seconds = int(cast("float", row["uptime"]))
    return [
        str(row["name"]),
        str(row["state"]),
        str(row["pid"] or ""),
        str(row["restarts"]),
        f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        f"{cast('int', row['memory']) / MIB:.0f}",
        str(row["port"] or ""),
    ]
