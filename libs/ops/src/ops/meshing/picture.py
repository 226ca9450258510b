"""The mesh as a picture for a terminal of 80 columns: weights, pools filling up, who is ejected."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from ops.meshing.figures import Process, Slot

BAR = 10
FILLING = "▁▂▃▄▅▆▇█"
COLOURS = {"blue": "bright_blue", "green": "green3"}
FAINT = "bright_black"

Picture = Mapping[str, tuple[Slot, ...]]


def drawn(now: Picture, before: Picture | None, seconds: float) -> Table:
    """A table of services; rates are what came between the two, or nothing the first time."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in ("", "Share", "", "Process"):
        table.add_column(head, no_wrap=True)
    for head in ("Req/s", "5xx/s", "Pool", "Waiting"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    earlier = {one.name: one for slots in (before or {}).values() for one in _processes(slots)}
    for service, slots in now.items():
        table.add_row("", "", "", Text(service, style="bold"))
        whole = sum(slot.weight for slot in slots) or 1
        for slot in slots:
            _add_slot(table, slot, slot.weight / whole, earlier, seconds)
    return table


def _add_slot(
    table: Table, slot: Slot, share: float, earlier: Mapping[str, Process], seconds: float
) -> None:
    name = slot.node.rpartition("-")[2]
    colour = COLOURS.get(name, "white") if slot.weight else FAINT
    filled = round(share * BAR) or (1 if share else 0)
    bar = Text("█" * filled, style=colour) + Text("░" * (BAR - filled), style=FAINT)
    head = (Text(name, style=colour), Text(f"{slot.weight:>3}", style=colour), bar)
    lines = [_line(one, earlier.get(one.name), seconds) for one in slot.processes]
    if not lines:
        lines = [(Text("no process", style="bold red" if slot.weight else FAINT),)]
    for number, line in enumerate(lines):
        table.add_row(*(head if number == 0 else ("", "", "")), *line)


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
        return Text(str(used))
    height = min(len(FILLING) - 1, used * len(FILLING) // bound)
    style = "red" if used >= bound else "yellow" if used * 2 >= bound else "green"
    return Text(f"{FILLING[height]} ", style=style) + Text(f"{used}/{bound}")


def _state(one: Process, refused: float) -> Text:
    if refused:
        return Text(f"open: {refused:.1f} refused/s", style="bold red")
    if one.ejected_by:
        return Text(f"ejected by {', '.join(one.ejected_by)}", style="bold yellow")
    return Text("serves", style="green")


def _processes(slots: Iterable[Slot]) -> Iterable[Process]:
    return (process for slot in slots for process in slot.processes)
