"""What a person sees: steps with their time, tables, sentences. Plain lines when nobody looks."""

import os
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table


class Screen:
    """Where a command prints to; a terminal that went away is no reason to stop."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _console()
        self._status = Status("", console=self._console)
        self._doing: list[str] = []
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since this screen was made."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """One line, as it stands."""
        self._print(escape(text))

    def event(self, text: str) -> None:
        """One line with the time of day, for what happens by itself."""
        self._print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {escape(text)}")

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """A step of a longer work, which may overlap with others: shown with its time when done."""
        began = time.monotonic()
        self._doing.append(name)
        self._show_doing()
        try:
            yield
            self._print(f"[green]✓[/green] {escape(name):<40}{time.monotonic() - began:>6.1f} s")
        finally:
            self._doing.remove(name)
            self._show_doing()

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under their heads."""
        table = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        with suppress(OSError):
            self._console.print(table, soft_wrap=False)

    def _show_doing(self) -> None:
        if not self._console.is_terminal:
            return
        with suppress(OSError):
            if self._doing:
                self._status.update(escape(", ".join(self._doing)))
                self._status.start()
            else:
                self._status.stop()

    def _print(self, text: str) -> None:
        with suppress(OSError):
            self._console.print(text)


class _Patient(Console):
    """Goes on in silence when its reader went away, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _console() -> Console:
    # Nobody looks at a file through a window of 80 columns.
    width = None if sys.stdout.isatty() else 200
    return _Patient(highlight=False, soft_wrap=True, width=width)
