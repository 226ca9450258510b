"""Where a run keeps the data of its platform: on a disk, and for as long as the run lasts."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError

PREFIX = "ubertruck-bench-"
# /tmp is memory on many machines; what is here survives a restart, so it is on a disk.
DISK = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it, with a fresh name
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
MOUNTS = Path("/proc/self/mounts")
# A folder is made an instant before it is locked.
YOUNG_SECONDS = 60.0


@contextmanager
def temporary_folder() -> Generator[Path]:
    """A folder that is removed in the end; BenchError where writing to it proves nothing.

    Also removed is what runs left behind that were killed.
    """
    parent = _parent()
    _remove_leftovers(parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    except OSError as error:
        raise BenchError(
            f"No folder can be made in {parent} ({error.strerror}): name another one in TMPDIR."
        ) from error
    # Where Postgres can't run as root it runs as somebody else, who has to find its folder.
    folder.chmod(0o711)
    with _locked(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def filesystem_of(path: Path, mounts: Iterable[str]) -> str:
    """The type of the file system that holds `path`, by lines as in /proc/self/mounts."""
    found = {Path(fields[1]): fields[2] for fields in map(str.split, mounts)}
    return next((found[place] for place in (path, *path.parents) if place in found), "unknown")


def _parent() -> Path:
    parent = Path(os.environ.get("TMPDIR", DISK)).resolve()
    kind = filesystem_of(parent, MOUNTS.read_text().splitlines())
    if kind in IN_MEMORY:
        raise BenchError(
            f"{parent} is memory ({kind}), where a commit costs nothing: "
            "name a folder on a disk in TMPDIR."
        )
    return parent


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > YOUNG_SECONDS:
                with _locked(folder):
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Hold the folder for this process alone; BlockingIOError when another holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
