"""What was found out: figures with their goals, as a table and as a file."""

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table

_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a figure should be: `>=`, `<=` or `<` a number."""

    comparison: str
    number: float

    @classmethod
    def of(cls, text: str) -> "Goal":
        """From `>= 2000`."""
        comparison, number = text.split()
        if comparison not in _COMPARISONS:
            raise ValueError(f"A goal doesn't compare by {comparison}.")
        return cls(comparison=comparison, number=float(number))

    def is_met(self, value: float) -> bool:
        """Whether the value is as it should be."""
        return _COMPARISONS[self.comparison](value, self.number)

    def __str__(self) -> str:
        return f"{self.comparison} {self.number:g}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure by its stable name; its value is the median of its rounds."""

    name: str
    unit: str
    rounds: Sequence[float]
    goal: Goal | None = None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, of the value as it is written; None without a goal."""
        return None if self.goal is None else self.goal.is_met(rounded(self.value))

    def entry(self) -> dict[str, Any]:
        """As it stands in the file of results."""
        return {
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "goal": None if self.goal is None else str(self.goal),
            "met": self.met,
        }


def figure(name: str, unit: str, rounds: Iterable[float], goal: str | None = None) -> Figure:
    """A figure; the goal as in `>= 2000`."""
    return Figure(
        name=name, unit=unit, rounds=tuple(rounds), goal=None if goal is None else Goal.of(goal)
    )


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Sequence[float]:
    """Round by round: what was measured one after the other met the same machine."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def rounded(value: float) -> float:
    """Four digits are more than a measurement knows; whole numbers keep all of theirs."""
    return float(round(value)) if abs(value) >= 1000 else float(f"{value:.4g}")


def write(figures: Sequence[Figure], path: Path) -> None:
    """Put the figures into the file; those with other names that stand there already stay."""
    entries = {entry["name"]: entry for entry in _read(path, [])}
    entries.update({one.name: one.entry() for one in figures})
    _write(path, [entries[name] for name in sorted(entries)])


def write_rounds(figures: Sequence[Figure], machine: Mapping[str, str], path: Path) -> None:
    """Beside the file of the figures, in `rounds/`: every round of them, and on what machine."""
    rounds = path.parent / "rounds" / path.name
    entries: dict[str, Any] = _read(rounds, {})
    for one in figures:
        entries[one.name] = {"rounds": [rounded(number) for number in one.rounds], **machine}
    _write(rounds, entries)


def table(figures: Sequence[Figure]) -> Table:
    """For a person: value, the lowest and the highest round, and whether the goal is met."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("", "median", "unit", "lowest", "highest", "rounds", "goal", "met"):
        drawn.add_column(head, justify="left" if head in ("", "unit", "met") else "right")
    for one in figures:
        drawn.add_row(*_cells(one))
    return drawn


def _cells(one: Figure) -> Sequence[str]:
    mark = {None: "", True: "[green]yes[/green]", False: "[red]no[/red]"}[one.met]
    numbers = (one.value, min(one.rounds), max(one.rounds))
    value, lowest, highest = (f"{rounded(number):.10g}" for number in numbers)
    goal = "" if one.goal is None else str(one.goal)
    return (one.name, value, one.unit, lowest, highest, str(len(one.rounds)), goal, mark)


def _read(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else otherwise


def _write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
