"""The data folder and the superuser's password beside it."""

import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chassis.embedded import _binaries
from chassis.embedded._errors import EmbeddedPostgresError

SUPERUSER = "postgres"
HOST = "127.0.0.1"

Auth = Literal["scram", "trust"]


@dataclass(frozen=True)
class DataFolder:
    """Where one server keeps its data, and how it asks who is there."""

    path: Path
    auth: Auth
    durable: bool

    @property
    def password_file(self) -> Path:
        """In the format of libpq's PGPASSFILE, so that client programs read it themselves."""
        return self.path.with_name(f"{self.path.name}.pgpass")

    def create(self) -> bool:
        """Make the folder unless it is there; True when it was made now.

        A run that is killed half-way leaves nothing that looks finished.
        """
        try:
            if (self.path / "PG_VERSION").exists():
                return False
            if self.path.exists() and any(self.path.iterdir()):
                raise EmbeddedPostgresError(f"The folder {self.path} holds something else.")
            binaries = _binaries.find_binaries()
            mode = _binaries.choose_mode(self.path, binaries)
            partial = self._make_partial(mode)
            self._run_initdb(binaries / "initdb", partial, mode)
            if self.path.exists():
                self.path.rmdir()
            partial.rename(self.path)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The database folder {self.path} can't be written: {error.strerror}."
            ) from error
        return True

    def check(self) -> None:
        """Raise unless these binaries can serve the folder."""
        try:
            found = (self.path / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"The folder {self.path} holds no database: initialise it first."
            ) from None
        except PermissionError:
            raise EmbeddedPostgresError(
                f"The database folder {self.path} can't be read: it belongs to another user."
            ) from None
        wanted = _binaries.major_version()
        if found != wanted:
            raise EmbeddedPostgresError(
                f"The database folder {self.path} was made by Postgres {found}, "
                f"and this is Postgres {wanted}."
            )

    def password(self) -> str:
        """The superuser's password."""
        try:
            return self.password_file.read_text().strip().rsplit(":", 1)[1]
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The superuser's password can't be read from {self.password_file}: "
                f"{error.strerror}."
            ) from error

    def _make_partial(self, mode: str) -> Path:
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        _give(partial, mode)
        return partial

    def _run_initdb(self, initdb: Path, partial: Path, mode: str) -> None:
        arguments = [
            *("-D", str(partial), "-U", SUPERUSER, "-E", "UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
            "--auth=trust" if self.auth == "trust" else "--auth=scram-sha-256",
            *([] if self.durable else ["--no-sync"]),
        ]
        with tempfile.NamedTemporaryFile("w", dir=partial.parent) as password:
            password.write(self._new_password())
            password.flush()
            _give(Path(password.name), mode)
            result = subprocess.run(  # noqa: S603 - our own launcher and binary
                _binaries.launch_command(mode, initdb, [*arguments, f"--pwfile={password.name}"]),
                capture_output=True,
                text=True,
                env=_binaries.ENVIRONMENT,
                cwd="/",
                check=False,
            )
        if result.returncode != 0:
            raise EmbeddedPostgresError(
                f"The database folder {self.path} can't be made: {_reason(result.stderr)}."
            )

    def _new_password(self) -> str:
        password = secrets.token_urlsafe(24)
        self.password_file.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(self.password_file, flags, 0o600), "w") as file:
            file.write(f"{HOST}:*:*:{SUPERUSER}:{password}\n")
        return password


def _give(path: Path, mode: str) -> None:
    if mode.startswith("user:"):
        _, uid, gid = mode.split(":")
        os.chown(path, int(uid), int(gid))


def _reason(output: str) -> str:
    lines = output.strip().splitlines() or ["no message"]
    telling = [line for line in lines if "error:" in line or "FATAL:" in line]
    return (telling or lines)[-1].removeprefix("initdb: error: ").rstrip(".")
