"""Row `memory`: what each process holds after load, pages that are shared counted by share."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bench import wrk
from bench.edges import lifted_edge
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage
from ops.memory import MIB
from ops.services import SERVICES

SECONDS = 2.0
UNIT = "MiB"
SERVICE_GOAL = "<= 110"


async def measure(stage: Stage) -> Sequence[Figure]:
    """After each of some loads of bookings."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    async with lifted_edge(stage.layout, "edge-lifted") as port:
        for number in stage.rounds:
            stage.say(f"memory: round {number + 1} of {len(stage.rounds)}")
            plan = wrk.Plan.of_bookings(stage.bookings())
            await wrk.run(port, plan, seconds=stage.seconds(SECONDS))
            for name, size in (await _sizes(stage)).items():
                found[name].append(size)
    return figures_of(found)


def figures_of(found: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    """MiB a process, and of all together."""
    whole = [sum(sizes) for sizes in zip(*found.values(), strict=True)]
    goals = {service.api: SERVICE_GOAL for service in SERVICES}
    return [
        *(figure(f"memory.{name}", UNIT, sizes, goals.get(name)) for name, sizes in found.items()),
        figure("memory.platform", UNIT, whole),
    ]


async def _sizes(stage: Stage) -> Mapping[str, float]:
    processes = await stage.platform.processes()
    return {name: row["memory"] / MIB for name, row in sorted(processes.items())}


ROW = Row(
    name="memory",
    about="Proportional set size of every process of the platform after load",
    measure=measure,
)
