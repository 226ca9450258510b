"""`python -m bench [ROW ...]`: measure, print one table, write one file."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from bench import folders, machine, preflight, results, stage
from bench.errors import BenchError, WrongAnswer
from bench.results import Figure
from bench.rows import Row, every_row, find_row
from bench.stage import ROUNDS, Pace
from chassis.embedded import EmbeddedPostgresError
from ops.errors import OpsError

RESULTS = Path(__file__).parents[2] / "results"
INTERRUPTED = 130
WIDTH = 120
NOTES = (
    "All of it on this machine: Postgres with fsync on, Envoy, the services, and the load.",
    "The edge is as `ubertruck up` has it, but its limit over all clients is lifted; "
    "the limit for each client is kept.",
)

Work = Callable[[Sequence[Row], Path, Pace], Coroutine[Any, Any, Sequence[Figure]]]


async def measured(rows: Sequence[Row], folder: Path, pace: Pace) -> Sequence[Figure]:
    """The figures of all these rows, on one platform over the empty `folder`."""
    _end_when_told()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    figures: list[Figure] = []
    async with stage.raised(folder, pace, say) as raised:
        for row in rows:
            try:
                figures += await row.measure(raised)
            except WrongAnswer as error:
                raise WrongAnswer(f"Row {row.name} is worth nothing. {error}") from error
        say("Stopping")
    return figures


def main(
    arguments: Sequence[str] | None = None, *, results_folder: Path = RESULTS, work: Work = measured
) -> int:
    """The exit code; 1, with one sentence on standard error, when there is nothing to report."""
    options = _parser().parse_args(arguments)
    pace = Pace(rounds=options.rounds, seconds=options.seconds)
    rows = [row for row in every_row().values() if not options.rows or row in options.rows]
    before = machine.describe()
    try:
        preflight.check()
        figures = _run(work, rows, pace)
    except (BenchError, OpsError, EmbeddedPostgresError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("bench: stopped before the end, so there is nothing to report", file=sys.stderr)
        return INTERRUPTED
    _show(figures, before)
    _keep(figures, before, options.output or _standing_file(results_folder, pace))
    return 0


def _parser() -> argparse.ArgumentParser:
    about = [f"  {row.name:10} {row.about}" for row in every_row().values()]
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Measures Ubertruck beside what it could be and what is usual.",
        epilog="\n".join(["rows:", *about]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "rows", nargs="*", type=_row, metavar="ROW", help="what to measure; all otherwise"
    )
    parser.add_argument("--rounds", type=_positive, default=ROUNDS, help="so many of everything")
    parser.add_argument("--seconds", type=_positive, help="of each round, for trying out")
    parser.add_argument("--output", type=Path, help="the file of results")
    return parser


def _row(name: str) -> Row:
    try:
        return find_row(name)
    except BenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} isn't a whole number above 0.")
    return int(text)


def _run(work: Work, rows: Sequence[Row], pace: Pace) -> Sequence[Figure]:
    with (
        folders.temporary_folder() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(work(rows, folder, pace))


def _end_when_told() -> None:
    """Make SIGTERM and a terminal that goes away stop everything in order, as Ctrl-C does."""
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else sys.exit)


def _show(figures: Sequence[Figure], before: Mapping[str, str]) -> None:
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)
    console.print()
    console.print(results.table(figures))
    console.print()
    for note in (*NOTES, ", ".join(f"{name} {value}" for name, value in before.items())):
        console.print(note, markup=False)


def _standing_file(folder: Path, pace: Pace) -> Path | None:
    return folder / f"{datetime.now(UTC):%Y-%m-%d}.json" if pace.is_full else None


def _keep(figures: Sequence[Figure], before: Mapping[str, str], path: Path | None) -> None:
    if path is None:
        print("Nothing is written: this was a shorter run, for trying out.")
        return
    results.write(figures, path)
    results.write_rounds(figures, before, path)
    print(f"Written to {path}")
