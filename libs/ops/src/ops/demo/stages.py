"""Where the demo plays: lines one after the other, or a picture that is kept up to date."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.console import Screen
from ops.demo.facts import REMEMBERED, STEPS, TRUCKS, Facts, TruckFacts, rupees, tons

# For a person to follow it.
PAUSE_SECONDS = 0.35
_WAY = ("Truck", "Step", "", "Km", "Loaded", "Delivered", "Claim")
_PAPERS = ("", "Lorry receipt", "E-way bill", "until", "Transit pass", "Evidence")
_NUMBERS = frozenset({"Km", "Loaded", "Delivered", "Claim"})


class Stage(Protocol):
    """Shows what happens."""

    def tell(self, text: str) -> None:
        """Something happened, and the facts are as they are now."""
        ...


class PlainStage:
    """One line for each thing that happens."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def tell(self, text: str) -> None:
        self._screen.say(text)


class LiveStage:
    """A picture of the facts on a terminal; it stays there when the demo is over."""

    def __init__(self, facts: Facts, live: Live, *, pause: float = PAUSE_SECONDS) -> None:
        self._facts = facts
        self._live = live
        self._pause = pause

    def tell(self, text: str) -> None:
        self._facts.lines.append(text)
        self._live.update(picture(self._facts), refresh=True)
        time.sleep(self._pause)


@contextmanager
def live_stage(facts: Facts, console: Console) -> Generator[LiveStage]:
    """A live stage on a terminal until the body ends."""
    with Live(picture(facts), console=console, auto_refresh=False) as live:
        yield LiveStage(facts, live)


def picture(facts: Facts) -> RenderableType:
    """The booking, its trucks with their papers, and what happened last: always as many lines."""
    trucks = facts.trucks
    return Panel(
        Group(
            _head(facts),
            Text(),
            _table(_WAY, [_way(truck, km=facts.km) for truck in trucks]),
            Text(),
            _table(_PAPERS, [_papers(truck) for truck in trucks]),
            Text(),
            *_lines(facts),
        ),
        title="Ubertruck: one booking, three trucks",
        title_align="left",
        border_style="blue",
        padding=(0, 1),
    )


def _head(facts: Facts) -> RenderableType:
    head = Table.grid(padding=(0, 2))
    price = f"[bold]{rupees(facts.paise)}[/bold]" if facts.paise else ""
    head.add_row("[dim]Booking[/dim]", facts.booking_id, f"[bold]{facts.status}[/bold]")
    head.add_row("[dim]Freight[/dim]", facts.about, price)
    return head


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, justify="right" if head in _NUMBERS else "left", no_wrap=True)
    for row in (*rows, *[()] * (TRUCKS - len(rows))):
        table.add_row(*row)
    return table


def _way(truck: TruckFacts, *, km: int) -> Sequence[str]:
    left = len(STEPS) - truck.steps
    return (
        truck.registration,
        truck.status.replace("_", " "),
        f"[green]{'■' * truck.steps}[/green][dim]{'□' * left}[/dim]",
        f"{truck.km}/{km}",
        tons(truck.loaded_kg) if truck.loaded_kg else "",
        tons(truck.delivered_kg) if truck.delivered_kg else "",
        f"[yellow]{rupees(truck.claim_paise)}[/yellow]" if truck.claim_paise else "",
    )


def _papers(truck: TruckFacts) -> Sequence[str]:
    return (
        truck.registration,
        truck.lorry_receipt,
        truck.eway_bill,
        truck.eway_bill_until,
        truck.transit_pass,
        f"[green]{truck.evidence}[/green]",
    )


def _lines(facts: Facts) -> Sequence[Text]:
    texts = [*facts.lines, *[""] * (REMEMBERED - len(facts.lines))]
    newest = len(facts.lines) - 1
    return [
        Text(text, style="" if number == newest else "dim", no_wrap=True, overflow="ellipsis")
        for number, text in enumerate(texts)
    ]
