"""The second half of a restore: what was built beside the data takes their place."""

import shutil
from pathlib import Path

from ops import preparation
from ops.state import StateFolder, write_atomically

REPLACED = ("postgres", "postgres.pgpass", "secrets", "services")


def site_of(folder: StateFolder) -> StateFolder:
    """Where a restore builds."""
    return StateFolder(folder.root / "restoring")


def is_due(folder: StateFolder) -> bool:
    """Whether a restore was interrupted."""
    return site_of(folder).root.exists()


def say_whole(site: StateFolder) -> None:
    """From here on the restore counts as done, whatever happens to us."""
    write_atomically(_mark(site), b"")


def replace_if_whole(folder: StateFolder) -> None:
    """Finish a restore that was built, drop one that wasn't; nothing when there was none."""
    site = site_of(folder)
    if _mark(site).exists():
        for name in REPLACED:
            if (site.root / name).exists():
                _remove(folder.root / name)
                (site.root / name).rename(folder.root / name)
        preparation.forget(folder)
        # Last: without it the rest would be taken for a restore that was never built.
        _mark(site).unlink()
    shutil.rmtree(site.root, ignore_errors=True)


def _mark(site: StateFolder) -> Path:
    return site.root / "whole"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
