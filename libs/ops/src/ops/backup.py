"""`ubertruck backup`: the databases, and the secrets that they need, in one file.

Each database is dumped as of one moment, while the platform goes on. The file holds the master key
and every password, so it is as secret as the data folder.
"""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from chassis.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ops import archive, control, database
from ops.environment import base_environment
from ops.errors import OpsError
from ops.services import SERVICES
from ops.state import StateFolder, read_json

DATABASES = "databases"
SECRETS = "secrets"
ANCHORS = "anchors"


def backup(folder: StateFolder, target: Path) -> int:
    """Write everything that mustn't be lost to `target`; the size in bytes."""
    if not folder.postgres.exists():
        raise OpsError(f"There is nothing to back up in {folder.root}.")
    with tempfile.TemporaryDirectory(dir=folder.run) as work, _server(folder) as server:
        for service in SERVICES:
            dump = Path(work, f"{service.name}.dump")
            run_tool(server, "pg_dump", "--format=custom", f"--file={dump}", service.name)
        return archive.write(target, _members(folder, Path(work)))


@contextmanager
def started(server: EmbeddedPostgres) -> Generator[EmbeddedPostgres]:
    """The server while the body runs; OpsError when it can't run."""
    try:
        server.start()
        yield server
    except EmbeddedPostgresError as error:
        raise OpsError(str(error)) from error
    finally:
        server.stop()


def run_tool(server: EmbeddedPostgres, tool: str, *arguments: str) -> None:
    """Run one of Postgres's programs as superuser; OpsError with its last line when it fails."""
    result = subprocess.run(  # noqa: S603 - a program of the wheel
        [*server.tool(tool), *arguments],
        env=base_environment() | server.client_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise OpsError(f"{tool} failed: {lines[-1]}")


@contextmanager
def _server(folder: StateFolder) -> Generator[EmbeddedPostgres]:
    port = read_json(folder.ports_file).get(database.NAME)
    server = database.server_of(folder, port if isinstance(port, int) else None)
    if control.is_running(folder):
        yield server
    else:
        with folder.lock(), started(server):
            yield server


def _members(folder: StateFolder, dumps: Path) -> dict[str, Path]:
    secrets = {f"{SECRETS}/{path.name}": path for path in sorted(folder.secrets.iterdir())}
    databases = {f"{DATABASES}/{path.name}": path for path in sorted(dumps.iterdir())}
    anchors = {
        f"{ANCHORS}/{service.name}/{path.name}": path
        for service in SERVICES
        for path in folder.service(service.name).glob("audit-anchor-*.log")
    }
    return secrets | databases | anchors
