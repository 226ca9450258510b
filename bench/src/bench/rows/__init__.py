"""The rows of the table. A module of this package that has a `ROW` is one: add a file, no list.

    ROW = Row(name="reads", about="…", measure=measure)

`measure(stage)` returns figures. What it starts it stops, and it raises `WrongAnswer` rather than
return the figure of something that did its work wrong.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from bench.errors import BenchError
from bench.results import Figure
from bench.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Row:
    """Something to measure. The name is what `ROWS=` takes, `about` one line for a person."""

    name: str
    about: str
    measure: Callable[[Stage], Awaitable[Sequence[Figure]]]


def every_row() -> Mapping[str, Row]:
    """All rows by name, in the order in which they are measured."""
    names = (f"{__name__}.{found.name}" for found in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(name) for name in sorted(names)]
    rows = [cast(Row, module.ROW) for module in modules if hasattr(module, "ROW")]
    return {row.name: row for row in rows}


def find_row(name: str) -> Row:
    """The row of this name; BenchError when there is none."""
    rows = every_row()
    if name not in rows:
        raise BenchError(f"There is no row {name}. There are: {', '.join(rows)}.")
    return rows[name]
