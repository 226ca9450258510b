"""Where a run keeps the data of its platform: on a disk, and for as long as the run lasts."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError

PREFIX = "ubertruck-bench-"
# /tmp is memory on many machines; what is here survives a restart, so it is on a disk.
DISK = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it, with a fresh name
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
MOUNTS = Path("/proc/self/mounts")


@contextmanager
def temporary_folder() -> Generator[Path]:
    """A folder that is removed in the end; BenchError where writing to it proves nothing."""
    parent = Path(os.environ.get("TMPDIR", DISK)).resolve()
    kind = filesystem_of(parent, MOUNTS.read_text().splitlines())
    if kind in IN_MEMORY:
        raise BenchError(
            f"{parent} is memory ({kind}), where a commit costs nothing: "
            "name a folder on a disk in TMPDIR."
        )
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    except OSError as error:
        raise BenchError(
            f"No folder can be made in {parent} ({error.strerror}): name another one in TMPDIR."
        ) from error
    try:
        # Where Postgres can't run as root it runs as somebody else, who has to find its folder.
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def filesystem_of(path: Path, mounts: Iterable[str]) -> str:
    """The type of the file system that holds `path`, by lines as in /proc/self/mounts."""
    found = {Path(fields[1]): fields[2] for fields in map(str.split, mounts)}
    return next((found[place] for place in (path, *path.parents) if place in found), "unknown")
