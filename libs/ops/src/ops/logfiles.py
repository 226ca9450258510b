"""The log files of processes: their last lines, following them, keeping them small."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

LARGEST = 10 * 1024 * 1024
CHUNK = 64 * 1024


def size(path: Path) -> int:
    """Bytes in `path`; 0 when there is no such file."""
    return path.stat().st_size if path.exists() else 0


def tail(path: Path, lines: int, *, since: int = 0) -> list[str]:
    """The last `lines` lines of `path`, none of them from before the byte `since`."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        start = since if since <= end else 0
        block = b""
        position = end
        while position > start and block.count(b"\n") <= lines:
            step = min(CHUNK, position - start)
            position = file.seek(position - step)
            block = file.read(step) + block
    return block.decode(errors="replace").splitlines()[-lines:]


def last_words(lines: Sequence[str]) -> str:
    """What a process said last, taken out of its JSON when it logs JSON."""
    spoken = [line.strip() for line in lines if line.strip()]
    return _message(spoken[-1]) if spoken else "it said nothing"


def _message(line: str) -> str:
    try:
        entry: object = json.loads(line)
    except ValueError:
        return line
    if isinstance(entry, dict):
        message = cast("dict[str, object]", entry).get("message")
        return message if isinstance(message, str) else line
    return line


class Follower:
    """Reads what is added to a file after it was made, also after the file was cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = size(path)
        self._rest = b""

    def new_lines(self) -> list[str]:
        """Whole lines that came since the last call."""
        end = size(self._path)
        if end < self._place:
            self._place, self._rest = 0, b""
        if end == self._place:
            return []
        with self._path.open("rb") as file:
            file.seek(self._place)
            block = file.read()
        self._place += len(block)
        *whole, self._rest = (self._rest + block).split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def cut(path: Path, *, largest: int = LARGEST) -> bool:
    """Move the content of a file that grew beyond `largest` bytes to `<path>.1`; whether it did.

    The writer keeps its descriptor, which appends, so the file is emptied rather than renamed.
    """
    if size(path) <= largest:
        return False
    with path.open("r+b") as file, path.with_name(f"{path.name}.1").open("wb") as old:
        shutil.copyfileobj(file, old)
        _copy_what_came_meanwhile(file, old)
        file.truncate(0)
    return True


def _copy_what_came_meanwhile(source: BinaryIO, target: BinaryIO) -> None:
    while block := source.read():
        target.write(block)
