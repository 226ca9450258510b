"""The state folder: where everything that a platform keeps on this machine lies."""

import fcntl
import json
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ops.errors import OpsError

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class StateFolder:
    """Names of files and folders under one state folder."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def edge(self) -> Path:
        return self.root / "edge"

    @property
    def mesh(self) -> Path:
        return self.root / "mesh"

    @property
    def services(self) -> Path:
        return self.root / "services"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def versions(self) -> Path:
        return self.root / "versions"

    @property
    def slots_file(self) -> Path:
        return self.root / "slots.json"

    @property
    def ports_file(self) -> Path:
        return self.run / "ports.json"

    @property
    def processes_file(self) -> Path:
        return self.run / "processes.json"

    @property
    def prepared_file(self) -> Path:
        return self.run / "prepared.json"

    @property
    def keys_file(self) -> Path:
        return self.edge / "jwks.json"

    @property
    def sessions_file(self) -> Path:
        return self.run / "sessions.json"

    @property
    def socket(self) -> Path:
        return self.run / "control.sock"

    def service(self, name: str) -> Path:
        """Where a service's processes keep their last-good files and their audit's anchor."""
        return self.services / name

    def log_of(self, process: str) -> Path:
        """The file that takes what `process` prints."""
        return self.logs / f"{process}.log"

    def prepare(self) -> None:
        """Make the folders, open to their owner alone; OpsError when that can't be done."""
        folders = (
            self.secrets,
            self.services,
            self.edge,
            self.mesh,
            self.logs,
            self.run,
        )
        # Started by root where user namespaces are refused, Postgres runs as somebody else and has
        # to find its folder; everything else in here stays closed.
        passage = 0o711 if os.geteuid() == 0 else PRIVATE_FOLDER
        try:
            self.root.mkdir(mode=passage, parents=True, exist_ok=True)
            for folder in folders:
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            raise OpsError(
                f"The data folder {self.root} can't be written ({error.strerror}). "
                "Name another one with --state."
            ) from error

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the folder for this process alone; OpsError when another process holds it."""
        descriptor = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OpsError(
                    f"Ubertruck already runs on {self.root} (process {_holder(descriptor)}). "
                    "Stop it first, or name another data folder with --state."
                ) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step, even in a crash; only its owner can read it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON, atomically."""
    write_atomically(path, json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def read_json(path: Path) -> Mapping[str, object]:
    """The JSON object in `path`; empty when there is no file, or no whole one, at this place."""
    try:
        content: object = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return cast("dict[str, object]", content) if isinstance(content, dict) else {}
