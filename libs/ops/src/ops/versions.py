"""Which code runs for a service: what is installed, a folder with source, or a git revision.

A revision is laid out once below `versions/` of the state folder. The source goes before what is
installed on the path of a process, and what the source doesn't bring is taken from there.
"""

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import ops
from ops.errors import OpsError
from ops.rollout.ports import Colour
from ops.state import StateFolder, read_json, write_json

INSTALLED = "installed"
ROOT = Path(ops.__file__).parents[4]


@dataclass(frozen=True)
class Code:
    """A version's name, and the folder of its source unless it is what is installed."""

    version: str = INSTALLED
    source: Path | None = None

    @property
    def python_path(self) -> str:
        """What PYTHONPATH begins with; empty for what is installed."""
        if self.source is None:
            return ""
        folders = [*sorted(self.source.glob("*/src")), *sorted(self.source.glob("libs/*/src"))]
        return os.pathsep.join(str(folder) for folder in folders)


@dataclass(frozen=True)
class Active:
    """The slot of a service that is active, and what runs in it."""

    colour: Colour = Colour.BLUE
    code: Code = Code()


def find(folder: StateFolder, version: str, package: str) -> Code:
    """The code that somebody means: `installed`, a folder, or a revision of this checkout.

    OpsError when there is no such version, or nothing of the package in it.
    """
    if version == INSTALLED:
        return Code()
    path = Path(version).absolute()
    code = Code(str(path), path) if path.is_dir() else _laid_out(folder, version)
    require_source(code, package)
    return code


def require_source(code: Code, package: str) -> None:
    """OpsError unless the code's package is where it is said to be."""
    if code.source is not None and not [*code.source.glob(f"*/src/{package}/__main__.py")]:
        raise OpsError(f"There is no source of {package} in {code.source}.", code=2)


def read_actives(folder: StateFolder) -> dict[str, Active]:
    """What is active, by service; a service that never changed isn't in it."""
    found = cast("dict[str, dict[str, Any]]", read_json(folder.slots_file))
    return {
        service: Active(
            Colour(one["colour"]),
            Code(one["version"], Path(one["source"]) if one["source"] else None),
        )
        for service, one in found.items()
    }


def write_actives(folder: StateFolder, actives: Mapping[str, Active]) -> None:
    """Keep what is active, for the next start."""
    content = {
        service: {
            "colour": one.colour,
            "version": one.code.version,
            "source": None if one.code.source is None else str(one.code.source),
        }
        for service, one in actives.items()
    }
    write_json(folder.slots_file, content)


def _laid_out(folder: StateFolder, revision: str) -> Code:
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise OpsError(
            f"{revision} is neither a folder nor a revision of {ROOT}, nor {INSTALLED!r}.", code=2
        )
    name = commit.decode().strip()
    place = folder.versions / name
    if not place.exists():
        archive = _git("archive", "--format=zip", name)
        if archive is None:
            raise OpsError(f"The source of {name} can't be taken out of {ROOT}.")
        _lay_out(archive, place)
    return Code(name, place)


def _lay_out(archive: bytes, place: Path) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=place.parent, prefix=".new-"))
    try:
        with zipfile.ZipFile(BytesIO(archive)) as source:
            source.extractall(beside)
        beside.rename(place)
    except OSError as error:
        if not place.exists():  # somebody else was faster otherwise
            raise OpsError(f"{place} can't be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(  # noqa: S603 - its arguments are ours, and one name after its options
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607 - the git of whoever calls
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise OpsError("git is missing, which is needed for a version by revision.") from error
    return done.stdout if done.returncode == 0 else None
