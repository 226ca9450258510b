"""The audit chain's anchor: a file outside the database that remembers where the chain has been.

Whoever owns the database can cut off the chain's tail or write the whole chain anew; the digests
kept here give it away. The file is only ever appended to (it may carry `chattr +a`), one line a
batch, flushed to the disk:

    <seq> <chain digest, hexadecimal> <time, RFC 3339>
    <seq> <chain digest, hexadecimal> <time, RFC 3339> rewound

A line with `rewound` is written when an operator has restored the database from a backup: earlier
lines with a greater `seq` hold no more from there on. A line that a crash cut short is skipped.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chassis.audit_chain import START, Link

_LINE = re.compile(rb"(\d{1,19}) ([0-9a-f]{64}) (\S+)( rewound)?\n")
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    link: Link
    rewound: bool


class FileAnchor:
    """The anchor of one service's chain. Safe for several processes of one machine at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def within(cls, state_dir: Path, service: str) -> "FileAnchor":
        """The anchor of `service` in its state folder."""
        return cls(state_dir / f"audit-anchor-{service}.log")

    def append(self, link: Link, *, rewound: bool = False) -> None:
        """Keep `link` for good: on the disk when this returns. Raises `OSError`."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        line = f"{link.seq} {link.digest.hex()} {time}{' rewound' if rewound else ''}\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(file, _line_end(file) + line.encode())
            os.fsync(file)
        finally:
            os.close(file)
        if is_new:
            _sync_folder(self.path.parent)

    def last(self) -> Link:
        """The furthest link that still holds; `START` when there is none."""
        size = self.size()
        furthest = START
        for entry in self._entries(max(0, size - _TAIL_BYTES), size):
            if entry.rewound or entry.link.seq >= furthest.seq:
                furthest = entry.link
        return furthest

    def size(self) -> int:
        """Bytes written so far; 0 when there is no file."""
        with suppress(FileNotFoundError):
            return self.path.stat().st_size
        return 0

    def links(self, size: int) -> Iterator[Link]:
        """Every link that holds among the first `size` bytes, streaming, in order of writing."""
        rewinds = [
            (place, entry.link.seq)
            for place, entry in enumerate(self._entries(0, size))
            if entry.rewound
        ]
        for place, entry in enumerate(self._entries(0, size)):
            while rewinds and rewinds[0][0] <= place:
                del rewinds[0]
            if all(entry.link.seq <= seq for _, seq in rewinds):
                yield entry.link

    def _entries(self, start: int, end: int) -> Iterator[_Entry]:
        if end == 0:
            return
        with self.path.open("rb") as file:
            if start:
                file.seek(start)
                file.readline()  # probably the rest of a line that began earlier
            while (place := file.tell()) < end and (line := file.readline(end - place)):
                if match := _LINE.fullmatch(line):
                    link = Link(int(match[1]), bytes.fromhex(match[2].decode()))
                    yield _Entry(link, rewound=match[4] is not None)


def _line_end(file: int) -> bytes:
    # After a crash in the middle of a line the next one must not be glued to its remains.
    size = os.fstat(file).st_size
    return b"" if size == 0 or os.pread(file, 1, size - 1) == b"\n" else b"\n"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
