"""Row `reads`: single bookings, and lists of few and of many bookings, as tenants see them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

from bench import arrivals, wrk
from bench.errors import WrongAnswer
from bench.results import Figure, figure, ratios
from bench.rows import Row
from bench.shelves import PAGES, Lists, Shelf, shelves
from bench.stage import Stage
from bench.wrk import BOOKED

FEW: Final = "10k"
MANY: Final = "1m"
SIZES: Final = {FEW: 10_000, MANY: 1_000_000}
SECONDS: Final = 3.0
WARM_UP_SECONDS: Final = 1.0
# Well below what one process can list, so that the list is measured and not a queue before it.
LISTS_A_SECOND: Final = 50.0


async def measure(stage: Stage) -> Sequence[Figure]:
    """Both databases in turn within each round."""
    async with shelves(stage, SIZES) as found:
        await _warm_up(found)
        rates: list[float] = []
        p99s: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for number in stage.rounds:
            stage.say(f"reads: round {number + 1} of {len(stage.rounds)}")
            seconds = stage.seconds(SECONDS)
            rates.append(await _read(found[MANY], seconds))
            for kind, name in product(PAGES, found):
                shelf = found[name]
                p99s[kind, name].append(await _list(shelf.port, shelf.lists[kind], seconds))
    return figures_of(rates, p99s)


def figures_of(
    rates: Sequence[float], p99s: Mapping[tuple[str, str], Sequence[float]]
) -> Sequence[Figure]:
    """Reads a second, latencies of lists in milliseconds, and what many rows cost."""
    figures = [figure("booking.read.edge", "requests/s", rates)]
    for kind in PAGES:
        few, many = p99s[kind, FEW], p99s[kind, MANY]
        figures += [
            figure(f"booking.list.{kind}.p99_{FEW}", "ms", few),
            figure(f"booking.list.{kind}.p99_{MANY}", "ms", many),
            figure(f"booking.list.{kind}.{MANY}_over_{FEW}", "x", ratios(many, few), "<= 1.3"),
        ]
    return figures


async def _warm_up(found: Mapping[str, Shelf]) -> None:
    for shelf in found.values():
        for lists in shelf.lists.values():
            await _list(shelf.port, lists, WARM_UP_SECONDS)
        await _read(shelf, WARM_UP_SECONDS)


async def _read(shelf: Shelf, seconds: float) -> float:
    plan = wrk.Plan(heads=shelf.singles, expect=BOOKED)
    return (await wrk.run(shelf.port, plan, seconds=seconds)).rate


async def _list(port: int, lists: Lists, seconds: float) -> float:
    outcomes = await arrivals.offer(
        port=port,
        rate=LISTS_A_SECOND,
        seconds=seconds,
        render=lists.render,
        check=lists.check,
    )
    if outcomes.troubles:
        raise WrongAnswer(f"Not every list was right and in time: {dict(outcomes.troubles)}.")
    return outcomes.percentile(99) * 1000


ROW = Row(
    name="reads",
    about="GET of one booking, and of lists at 10 000 and at 1 000 000 bookings",
    measure=measure,
)
