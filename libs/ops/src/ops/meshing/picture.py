"""The mesh as a picture for a terminal: weights as bars, pools filling up, who is ejected."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from ops.meshing.figures import Process, Slot

BAR = 20
POOL = 10
COLOURS = {"blue": "bright_blue", "green": "green3"}

Picture = Mapping[str, tuple[Slot, ...]]


def drawn(now: Picture, before: Picture | None, seconds: float) -> Table:
    """A table of services; rates are what came between the two, or nothing the first time."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    for head in ("Service", "Weight", "", "Process"):
        table.add_column(head, no_wrap=True)
    for head in ("Requests/s", "5xx/s"):
        table.add_column(head, justify="right", no_wrap=True)
    for head in ("Pool", "Waiting", "State"):
        table.add_column(head, no_wrap=True)
    earlier = {one.name: one for slots in (before or {}).values() for one in _processes(slots)}
    for service, slots in now.items():
        whole = sum(slot.weight for slot in slots) or 1
        for number, slot in enumerate(slots):
            title = Text(service, style="bold") if number == 0 else Text()
            _slot(table, title, slot, slot.weight / whole, earlier, seconds)
        table.add_row()
    return table


def _slot(
    table: Table,
    title: Text,
    slot: Slot,
    share: float,
    earlier: Mapping[str, Process],
    seconds: float,
) -> None:
    colour = COLOURS.get(slot.node.rpartition("-")[2], "white")
    bar = Text("█" * round(share * BAR), style=colour) + Text(
        "░" * (BAR - round(share * BAR)), style="bright_black"
    )
    weight = Text(f"{slot.weight:>3}", style=colour if slot.weight else "bright_black")
    lines = [_line(one, earlier.get(one.name), seconds) for one in slot.processes]
    if not lines:
        idle = Text("no process", style="red" if slot.weight else "bright_black")
        lines = [(Text(slot.node.rpartition("-")[2], style="bright_black"), "", "", "", "", idle)]
    for number, line in enumerate(lines):
        first = (title, weight, bar) if number == 0 else (Text(), Text(), Text())
        table.add_row(*first, *line)


def _line(one: Process, before: Process | None, seconds: float) -> tuple[str | Text, ...]:
    requests = errors = refused = 0.0
    if before is not None and seconds > 0:
        requests = max(0, one.requests - before.requests) / seconds
        errors = max(0, one.errors - before.errors) / seconds
        refused = max(0, one.refused - before.refused) / seconds
    return (
        one.name,
        f"{requests:.1f}",
        Text(f"{errors:.1f}", style="bold red" if errors else ""),
        _gauge(one.busy, one.connections),
        _gauge(one.pending, one.waiting),
        _state(one, refused),
    )


def _gauge(used: int, bound: int | None) -> Text:
    if bound is None:
        return Text(f"{used}")
    filled = min(POOL, -(-used * POOL // bound))
    style = "red" if used >= bound else "yellow" if used * 2 >= bound else "green"
    return (
        Text("▮" * filled, style=style)
        + Text("▯" * (POOL - filled), style="bright_black")
        + Text(f" {used}/{bound}")
    )


def _state(one: Process, refused: float) -> Text:
    if refused:
        return Text(f"circuit open, {refused:.1f} refused/s", style="bold red")
    if one.ejected_by:
        return Text(f"ejected by {', '.join(one.ejected_by)}", style="bold yellow")
    return Text("serving", style="green")


def _processes(slots: Iterable[Slot]) -> Iterable[Process]:
    return (process for slot in slots for process in slot.processes)
