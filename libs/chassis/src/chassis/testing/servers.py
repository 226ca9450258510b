"""Which Postgres server the tests use, started once and only when a test asks.

With xdist the controller owns the server, since it outlives every worker; workers ask it over a
socket of the loopback.
"""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from chassis.embedded import EmbeddedPostgres

_FOLDER_PREFIX = "ubertruck-test-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_MEMORY_NEEDED = 2 * 2**30
# Nothing here outlives the run, so the write-ahead log only has to stay small.
_TEST_SETTINGS = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
}


class Server(Protocol):
    """A running server."""

    @property
    def url(self) -> str:
        """`postgresql://…` of a superuser."""
        ...

    def stop(self) -> None:
        """Stop it, if we started it."""
        ...


class ExternalServer:
    """A server that somebody else runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stop(self) -> None:
        """Not ours to stop."""


class TemporaryServer:
    """An embedded server in a temporary folder, without any safety against crashes."""

    def __init__(self) -> None:
        self._folder = make_folder()
        self._postgres = temporary_postgres(self._folder / "data")
        try:
            self._postgres.initialise()
            self._postgres.start()
        except BaseException:
            self.stop()
            raise
        self.url = self._postgres.superuser_url()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._postgres.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)


class ContainerServer:
    """`postgres:18` in a container."""

    def __init__(self) -> None:
        from testcontainers.postgres import PostgresContainer

        self._container = PostgresContainer("postgres:18", driver=None)
        self._container.start()
        self.url = self._container.get_connection_url()

    def stop(self) -> None:
        """Stop and remove the container."""
        self._container.stop()


def start_server() -> Server:
    """The server that the environment asks for."""
    url = os.environ.get("UBERTRUCK_TEST_DATABASE_URL")
    if url:
        return ExternalServer(url)
    if os.environ.get("UBERTRUCK_TEST_POSTGRES") == "container":
        return ContainerServer()
    return TemporaryServer()


class LazyServer:
    """A server that starts when its URL is first asked for."""

    def __init__(self, start: Callable[[], Server] = start_server) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._server: Server | None = None

    def url(self) -> str:
        """The superuser's URL."""
        with self._lock:
            if self._server is None:
                self._server = self._start()
            return self._server.url

    def stop(self) -> None:
        """Stop the server if it was ever started."""
        with self._lock:
            if self._server is not None:
                self._server.stop()
                self._server = None


class Broker:
    """Answers the workers' question for the server's URL."""

    def __init__(self, server: LazyServer) -> None:
        self._server = server
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, name="test-server-broker", daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        # Closing alone would leave the thread in its accept().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                client.sendall(self._answer().encode())

    def _answer(self) -> str:
        try:
            return self._server.url()
        except Exception as error:  # whatever it is, the worker's test must show it
            return f"error {error}"


def ask_broker(port: int) -> str:
    """The superuser's URL, from the process that owns the server."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    if not answer or answer.startswith("error "):
        raise RuntimeError(f"No database for tests: {answer.removeprefix('error ')}")
    return answer


def temporary_postgres(data_dir: Path) -> EmbeddedPostgres:
    """An embedded server as tests want it: fast, without a password, without any safety."""
    return EmbeddedPostgres(data_dir, durable=False, auth="trust", settings=_TEST_SETTINGS)


def make_folder() -> Path:
    """A new folder for a server, in memory if there is room: copies are ten times faster there."""
    for parent in (_MEMORY, Path(tempfile.gettempdir())):
        _remove_abandoned(parent)
    roomy = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED
    parent = _MEMORY if roomy else None
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-", dir=parent))


def _remove_abandoned(parent: Path) -> None:
    """Remove folders of runs that were killed."""
    for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(_FOLDER_PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)
