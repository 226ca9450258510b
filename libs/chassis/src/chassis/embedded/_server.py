"""One Postgres server over one data folder."""

import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from chassis.embedded import _binaries, _processes
from chassis.embedded._errors import EmbeddedPostgresError
from chassis.embedded._folder import HOST, SUPERUSER, Auth, DataFolder

START_SECONDS = 60.0
STOP_SECONDS = 20.0
PORT_TRIES = 5

StopMode = Literal["smart", "fast", "immediate"]
_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}

# The kernel ends the server with the *thread* that started it, so this thread lasts to the end.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="embedded-postgres")


class EmbeddedPostgres:
    """A server on 127.0.0.1 over `data_dir`.

    `port` None lets the system choose at `start`; read `port` afterwards and pass it next time to
    keep it. `durable` False gives up safety against crashes for speed (tests). `auth` "scram" asks
    a password on loopback too, kept beside the data folder in a file only the owner reads.
    Every failure is an `EmbeddedPostgresError` whose message is one sentence. The methods block;
    in an event loop call them by `asyncio.to_thread`.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        durable: bool = True,
        auth: Auth = "scram",
        max_connections: int = 100,
        shared_buffers_mb: int = 64,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port
        self.log_file = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._folder = DataFolder(self.data_dir, auth, durable)
        self._settings = {
            **_settings(durable),
            "max_connections": str(max_connections),
            "shared_buffers": f"{shared_buffers_mb}MB",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def initialise(self) -> bool:
        """Make the data folder unless it is there; True when it was made now."""
        return self._folder.create()

    def start(self) -> None:
        """Start the server and return when it takes connections. Twice is no error.

        A server that an earlier run left over this folder is stopped first.
        """
        if self._process is not None and self._process.poll() is None:
            return
        binaries = _binaries.find_binaries()
        self._folder.check()
        mode = _binaries.choose_mode(self.data_dir, binaries)
        _processes.clear_leftovers(self.data_dir, STOP_SECONDS)
        wanted = self.port
        for _ in range(PORT_TRIES if wanted is None else 1):
            self.port = wanted or free_port()
            self._process = self._spawn(binaries / "postgres", mode, self.port)
            if self._await_ready(self._process):
                return
        raise EmbeddedPostgresError(f"Port {self.port} of {HOST} is in use.")

    def stop(self, mode: StopMode = "fast", seconds: float = STOP_SECONDS) -> None:
        """Stop the server, whoever started it, and return when it is gone. Twice is no error.

        One that doesn't leave within `seconds` is stopped as by a power cut.
        """
        for number in (_SIGNALS[mode], signal.SIGQUIT):
            pid = self.pid
            if pid is None:
                break
            _processes.end(pid, number)
            self._await_end(pid, seconds)
        self._process = None

    @property
    def pid(self) -> int | None:
        """The process that serves the data folder, or is about to; started by us or not."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        return _processes.serving_pid(self.data_dir)

    @property
    def is_running(self) -> bool:
        """Whether a server serves the data folder, started by us or not."""
        return self.pid is not None

    def superuser_url(self, dbname: str = "postgres") -> str:
        """`postgresql://…` of the superuser, password included; valid once the port is known."""
        if self.port is None:
            raise EmbeddedPostgresError("Postgres has no port yet: start it first.")
        login = SUPERUSER
        if self._folder.auth == "scram":
            login += f":{quote(self._folder.password())}"
        return f"postgresql://{login}@{HOST}:{self.port}/{dbname}"

    def tool(self, name: str) -> list[str]:
        """The first arguments of a client program's command line, such as `pg_dump`."""
        program = _binaries.find_binaries() / name
        if not program.is_file():
            raise EmbeddedPostgresError(f"The Postgres binaries hold no {name}.")
        return [str(program)]

    def client_environment(self) -> dict[str, str]:
        """Variables that let a client program in as superuser without a password on its line."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSFILE": str(self._folder.password_file),
        }

    def _spawn(self, postgres: Path, mode: str, port: int) -> subprocess.Popen[bytes]:
        arguments = ["-D", str(self.data_dir), "-p", str(port)]
        for name, value in self._settings.items():
            arguments += ["-c", f"{name}={value}"]
        command = _binaries.launch_command(mode, postgres, arguments)
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with open(self.log_file, "ab") as log:

            def popen() -> subprocess.Popen[bytes]:
                return subprocess.Popen(  # noqa: S603 - our own launcher and binary
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_binaries.ENVIRONMENT,
                    cwd="/",
                    # Ctrl-C on the terminal is for us; Postgres is stopped after its clients.
                    start_new_session=True,
                )

            return _spawner.submit(popen).result()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """True when connections are taken, False when the port is in use."""
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            if _processes.is_ready(self.data_dir, process.pid):
                return True
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise EmbeddedPostgresError(
                    f"Postgres isn't ready after {START_SECONDS:.0f} s: {self._log_tail()}"
                )
            time.sleep(_processes.POLL_SECONDS)
        self._process = None
        if "Address already in use" in self.log_file.read_text(errors="replace"):
            return False
        raise EmbeddedPostgresError(f"Postgres doesn't start: {self._log_tail()}")

    def _await_end(self, pid: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        # It takes its file away a little before it ends.
        while self.pid == pid or _processes.serves(pid, self.data_dir):
            if time.monotonic() > deadline:
                return
            time.sleep(_processes.POLL_SECONDS)

    def _log_tail(self) -> str:
        return " | ".join(self.log_file.read_text(errors="replace").strip().splitlines()[-3:])


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _settings(durable: bool) -> dict[str, str]:
    safety = "on" if durable else "off"
    return {
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "fsync": safety,
        "full_page_writes": safety,
        "synchronous_commit": safety,
        "autovacuum": safety,
    }
