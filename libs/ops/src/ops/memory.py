"""How much memory processes use, shared pages counted by share."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MIB = 1024 * 1024


def family(pid: int) -> set[int]:
    """`pid` and every process below it; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return {pid, *(child.pid for child in root.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def ours() -> set[int]:
    """This process and every process below it."""
    return family(os.getpid())


def proportional_set_size(pids: Iterable[int]) -> int:
    """Bytes of memory of all `pids`; a page shared by n processes counts 1/n for each.

    A process that ended, or that the kernel doesn't let us look into, counts nothing.
    """
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            total += _pss(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
    return total


def _pss(rollup: str) -> int:
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
