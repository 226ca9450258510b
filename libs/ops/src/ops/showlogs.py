"""`ubertruck logs`: what processes print, made readable where a person watches."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from ops.errors import OpsError
from ops.logfiles import Follower, tail
from ops.state import StateFolder

PAUSE = 0.2
COMMON = ("time", "level", "message", "service", "logger")


def show(folder: StateFolder, name: str | None, *, lines: int, follow: bool) -> None:
    """Print the last lines of the logs whose names begin with `name`; then, if told, go on."""
    logs = _logs(folder, name)
    form = _readable if sys.stdout.isatty() else _as_it_is
    followers = {path: Follower(path) for path in logs}
    for path in logs:
        _print(path, tail(path, lines), form, many=len(logs) > 1)
    with suppress(KeyboardInterrupt):
        while follow:
            for path, follower in followers.items():
                _print(path, follower.new_lines(), form, many=len(logs) > 1)
            time.sleep(PAUSE)


def _logs(folder: StateFolder, name: str | None) -> list[Path]:
    found = sorted([*folder.logs.glob("*.log"), *folder.root.glob("*.log")])
    chosen = [path for path in found if path.stem.startswith(name or "")]
    if not chosen:
        names = ", ".join(path.stem for path in found) or "none"
        raise OpsError(f"There is no log of {name or 'any process'}. There are: {names}.", code=2)
    return chosen


def _print(path: Path, lines: list[str], form: Callable[[str], str], *, many: bool) -> None:
    for line in lines:
        print(f"{path.stem}: {form(line)}" if many else form(line), flush=True)


def _as_it_is(line: str) -> str:
    return line


def _readable(line: str) -> str:
    try:
        entry: object = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "message" not in entry:
        return line
    known = cast("Mapping[str, object]", entry)
    moment = str(known.get("time", ""))[11:23]
    return " ".join([moment, str(known.get("level", "")), str(known["message"]), *_extras(known)])


def _extras(entry: Mapping[str, object]) -> Iterator[str]:
    for name, value in entry.items():
        if name == "exception":
            yield f"\n{value}"
        elif name not in COMMON:
            yield f"{name}={value}"
