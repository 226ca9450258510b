"""What a person sees: steps with their time, tables, sentences. Plain lines when nobody looks."""

import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.markup import escape
from rich.table import Table


class Screen:
    """Where a command prints to; a terminal that went away is no reason to stop."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """One line, as it stands."""
        self._print(escape(text))

    def event(self, text: str) -> None:
        """One line with the time of day, for what happens by itself."""
        self._print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {escape(text)}")

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """A step of a longer work: its name and how long it took, once it is done."""
        began = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(escape(name)):
                yield
        else:
            yield
        self._print(f"[green]✓[/green] {escape(name):<44}{time.monotonic() - began:>6.1f} s")

    @property
    def elapsed(self) -> float:
        """Seconds since this screen was made."""
        return time.monotonic() - self._began

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under their heads."""
        table = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        with suppress(OSError):
            self._console.print(table, soft_wrap=False)

    def _print(self, text: str) -> None:
        with suppress(OSError):
            self._console.print(text)


def complain(message: str, lines: Iterable[str] = ()) -> None:
    """A sentence on standard error, with the log lines that belong to it."""
    with suppress(OSError):
        for line in lines:
            print(f"    {line}", file=sys.stderr)
        print(f"ubertruck: {message}", file=sys.stderr)
