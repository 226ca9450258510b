"""Row e, the ceiling of the database: pgbench writes the rows of bookings and does nothing else."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url

from bench.errors import BenchError
from bench.sample import sample_values

SCRIPT: Final = Path(__file__).with_name("pgbench.sql")
CLIENTS: Final = 16
THREADS: Final = 2

_NUMBER = r"(\d+(?:\.\d+)?)"
_TPS = re.compile(rf"^tps = {_NUMBER} ", re.MULTILINE)
_LATENCY = re.compile(rf"^latency average = {_NUMBER} ms$", re.MULTILINE)
_PROCESSED = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


class PgbenchError(BenchError):
    """Why there is no figure, with what pgbench said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run came to: transactions a second, and how long one takes on average."""

    transactions: int
    per_second: float
    latency_ms: float


async def run(url: str, *, program: Sequence[str], seconds: int, clients: int = CLIENTS) -> Figures:
    """Write bookings for `seconds` into a database that booking's migrations made.

    `url` is of the runtime role, `postgresql+asyncpg://…`; `program` the first arguments of
    pgbench's command line. Raises `PgbenchError` when a single transaction failed.
    """
    target = make_url(url)
    process = await asyncio.create_subprocess_exec(
        *program,
        *_arguments(target, seconds=seconds, clients=clients),
        env=_environment(target),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise PgbenchError(complaints.decode(errors="replace").strip())
    return figures_of(output.decode())


def figures_of(report: str) -> Figures:
    """The figures of pgbench's report; raises `PgbenchError` when it tells of a failure."""
    if _found(_FAILED, report) != "0":
        raise PgbenchError(report.strip())
    return Figures(
        transactions=int(_found(_PROCESSED, report)),
        per_second=float(_found(_TPS, report)),
        latency_ms=float(_found(_LATENCY, report)),
    )


def _found(pattern: re.Pattern[str], report: str) -> str:
    found = pattern.search(report)
    if found is None:
        raise PgbenchError(f"pgbench's report lacks a figure:\n{report.strip()}")
    return found[1]


def _arguments(target: URL, *, seconds: int, clients: int) -> list[str]:
    defined = [f"--define={name}={value}" for name, value in sample_values().items()]
    return [
        "--no-vacuum",
        "--exit-on-abort",
        "--protocol=prepared",
        f"--client={clients}",
        f"--jobs={min(THREADS, clients)}",
        f"--time={seconds}",
        f"--file={SCRIPT}",
        *defined,
        f"--host={target.host}",
        f"--port={target.port}",
        f"--username={target.username}",
        str(target.database),
    ]


def _environment(target: URL) -> Mapping[str, str]:
    # Not on the command line, which every user of the machine may read.
    return {"LC_ALL": "C", "PATH": os.defpath, "PGPASSWORD": str(target.password or "")}
