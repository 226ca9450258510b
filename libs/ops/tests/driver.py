"""A real platform in a folder of its own, driven by the real command."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ops import control
from ops.people import find
from ops.sessions import Sessions
from ops.stale import MARK
from ops.state import StateFolder

UBERTRUCK = Path(sys.executable).with_name("ubertruck")
PATIENCE = 180.0


def run(state: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`ubertruck --state STATE ARGUMENTS`."""
    command = [str(UBERTRUCK), "--state", str(state), *arguments]
    return subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options
    )


@dataclass
class Driver:
    """A platform over `state`, running or not."""

    state: Path
    output: Path
    prefix: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    _tokens: dict[str, str] = field(default_factory=dict[str, str])
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))

    def start(self) -> subprocess.Popen[bytes]:
        """Start `up`, by way of the command `prefix` if there is one, and don't wait."""
        command = [str(UBERTRUCK), "--state", str(self.state), "up", "--port", "0"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*self.prefix, *command], stdout=output, stderr=subprocess.STDOUT
            )
        self._tokens.clear()
        return self.process

    def up(self) -> str:
        """Start it and wait until it serves; what it printed."""
        self.start()
        self.await_output("\nUp in ")
        found = re.search(r"^API +(http://127\.0\.0\.1:\d+)", self.printed, re.MULTILINE)
        assert found is not None
        self.url = found[1]
        return self.printed

    @property
    def printed(self) -> str:
        """What `up` printed so far."""
        return self.output.read_text()

    def end(self, number: int) -> int:
        """Send a signal to `up` and wait for its end; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        self._client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def do(self, *arguments: str, code: int = 0) -> str:
        """Run a command on this platform; what it printed."""
        result = run(self.state, *arguments)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def ask(self, do: str, name: str = "") -> Any:
        """What a command would ask the platform, without the start of a command."""
        return control.call(StateFolder(self.state), do, name=name)

    def status(self) -> dict[str, Mapping[str, Any]]:
        """The processes by name."""
        return {row["name"]: row for row in self.ask("status")["processes"]}

    def request(
        self, method: str, path: str, alias: str = "shipper", **options: Any
    ) -> httpx.Response:
        """A request through the edge as a demo user."""
        if alias not in self._tokens:
            sessions = Sessions(StateFolder(self.state), self.url)
            self._tokens[alias] = sessions.access_token(find(alias))
        headers = {"authorization": f"Bearer {self._tokens[alias]}", **options.pop("headers", {})}
        return self._client.request(method, f"{self.url}{path}", headers=headers, **options)

    def processes(self) -> list[int]:
        """Every process that was started for this platform."""
        mark = f"{MARK}={self.state}".encode()
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and mark in _environment(entry)
        ]

    def await_output(self, text: str) -> None:
        """Wait until `up` has printed `text`."""
        self._await(lambda: text in self.printed)

    def _await(self, condition: Callable[[], bool]) -> None:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.05)


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
