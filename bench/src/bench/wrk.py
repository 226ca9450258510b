"""Closed-loop load by wrk: as many requests as a fixed number of connections can carry.

Every answer is judged by `load.lua`, and a run with a single wrong one raises. wrk ends at its
deadline without waiting for what is in flight, so `sent` may be larger than the number of answers
by at most one request a connection.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.errors import BenchError, WrongAnswer
from bench.requests import Answered, BookingRequests

CONNECTIONS = 128
TIMEOUT_SECONDS = 10
BOOKED = '"booking_id":"'
RESULT = "RESULT "
MISSING = (
    "wrk is not installed: apt-get install wrk (Debian, Ubuntu), dnf install wrk (Fedora), "
    "or https://github.com/wg/wrk."
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is sent, and what every right answer holds; `load.lua` explains it."""

    heads: Sequence[bytes]
    tails: Sequence[bytes] = ()
    key_prefix: str | None = None
    expect: str
    keep: bool = False

    @classmethod
    def of_bookings(cls, requests: BookingRequests) -> "Plan":
        """Every request is a new booking, and the answer says so."""
        return cls(
            heads=requests.heads,
            tails=requests.tails,
            key_prefix=requests.key_prefix,
            expect=BOOKED,
            keep=True,
        )

    def as_lua(self) -> str:
        """The file that the script reads."""
        members = {
            "heads": _list(self.heads),
            "tails": _list(self.tails),
            "expect": _text(self.expect),
            "keep": "true" if self.keep else "false",
        }
        if self.key_prefix is not None:
            members["key"] = _text(self.key_prefix)
        lines = "".join(f"{name} = {value},\n" for name, value in members.items())
        return f"return {{\n{lines}}}\n"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came of a load; latencies in seconds, as the closed loop saw them."""

    sent: int
    right: int
    seconds: float
    p50: float
    p99: float
    answered: Sequence[Answered] = ()

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.right / self.seconds


def require() -> None:
    """BenchError that says how to get wrk, unless it is there."""
    if shutil.which("wrk") is None:
        raise BenchError(MISSING)


async def run(port: int, plan: Plan, *, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Send by `plan` for whole seconds; WrongAnswer unless every answer was right."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder,
        as_file(files("bench").joinpath("load.lua")) as script,
    ):
        written, answers = Path(folder, "plan.lua"), Path(folder, "answers")
        _write(written, plan.as_lua())
        _write(answers, "")
        options = [
            "--threads=1",
            f"--connections={connections}",
            f"--duration={max(1, round(seconds))}s",
            f"--timeout={TIMEOUT_SECONDS}s",
            f"--script={script}",
        ]
        url = f"http://127.0.0.1:{port}"
        output = await _output(["wrk", *options, url, "--", str(written), str(answers)])
        return read(output, _lines(answers))


def read(output: str, answers: Sequence[str]) -> Load:
    """The load that wrk's output and the file of answers tell of; WrongAnswer if it went wrong."""
    line = output.rstrip().rpartition("\n")[2]
    if not line.startswith(RESULT):
        raise BenchError(f"wrk gave no result: {line or 'it said nothing'}")
    result: dict[str, Any] = json.loads(line.removeprefix(RESULT))
    if result["wrong"]:
        raise WrongAnswer(f"{result['wrong']} answers were wrong, first: {result['complaint']}")
    troubles = {name: result[name] for name in ("connect", "read", "write", "timeout")}
    if any(troubles.values()):
        raise WrongAnswer(f"Connections failed: {troubles}.")
    if not result["right"]:
        raise WrongAnswer("Nothing was answered.")
    return Load(
        sent=result["sent"],
        right=result["right"],
        seconds=result["seconds"],
        p50=result["p50"],
        p99=result["p99"],
        answered=[_answered(line) for line in answers],
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")


def _lines(path: Path) -> Sequence[str]:
    return path.read_text("ascii").splitlines()


async def _output(command: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace")


def _answered(line: str) -> Answered:
    booking_id, paise = line.split()
    return Answered(booking_id=UUID(booking_id), paise=int(paise))


def _list(items: Sequence[bytes]) -> str:
    texts = ",\n".join(_text(item.decode("ascii")) for item in items)
    return f"{{{texts}}}"


def _text(text: str) -> str:
    # JSON and Lua write ASCII text the same way, but for \u, of which nothing here makes use.
    return json.dumps(text)
