"""Row `create`: bookings a second, Ubertruck's beside what it could be and what is usual."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from bench import pgbench, wrk
from bench.edges import lifted_edge
from bench.errors import WrongAnswer
from bench.listener import unpublished
from bench.processes import running, service_spec
from bench.results import Figure, figure, ratios
from bench.rows import Row
from bench.stage import Stage
from bench.subjects.databases import prepare_database
from ops.services import BOOKING

SECONDS = 8.0
WARM_UP_SECONDS = 1.0
UNIT = "bookings/s"
USUAL_DATABASE = "bench_usual"
PGBENCH_DATABASE = "bench_pgbench"


class Contender(Protocol):
    """Something that books."""

    async def book(self, seconds: float) -> float:
        """Bookings a second; WrongAnswer when one of them went wrong."""
        ...


@dataclass(frozen=True, kw_only=True)
class Service:
    """One that keeps what it books in `database`, asked at `port`."""

    stage: Stage
    port: int
    database: str = BOOKING.name

    async def book(self, seconds: float) -> float:
        requests = self.stage.bookings()
        async with self.stage.ledger(self.database) as ledger:
            load = await wrk.run(self.port, wrk.Plan.of_bookings(requests), seconds=seconds)
            await ledger.settle(load.answered, sent=load.sent)
        return load.rate


@dataclass(frozen=True, kw_only=True)
class Echo:
    """One that sends back what it gets."""

    stage: Stage
    port: int

    async def book(self, seconds: float) -> float:
        requests = self.stage.bookings()
        plan = wrk.Plan(
            heads=requests.heads,
            tails=requests.tails,
            key_prefix=requests.key_prefix,
            expect='"material_type":"',
        )
        return (await wrk.run(self.port, plan, seconds=seconds)).rate


@dataclass(frozen=True, kw_only=True)
class Statements:
    """The statements of a booking, and nobody who asks for one."""

    stage: Stage
    url: str

    async def book(self, seconds: float) -> float:
        program = self.stage.platform.server.tool("pgbench")
        async with self.stage.ledger(PGBENCH_DATABASE) as ledger:
            figures = await pgbench.run(self.url, program=program, seconds=max(1, round(seconds)))
            came = await ledger.settle((), sent=figures.transactions)
        if came.bookings != figures.transactions:
            raise WrongAnswer(f"pgbench wrote {came.bookings} of {figures.transactions} bookings.")
        return figures.per_second


async def measure(stage: Stage) -> Sequence[Figure]:
    """Interleaved rounds, so that what disturbs the machine disturbs everybody.

    Nobody publishes the events of the others, so the platform's worker stands still.
    """
    seconds = stage.seconds(SECONDS)
    async with unpublished(stage), _contenders(stage) as contenders:
        for contender in contenders.values():
            await contender.book(WARM_UP_SECONDS)
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for number in stage.rounds:
            stage.say(f"create: round {number + 1} of {len(stage.rounds)}")
            for name in in_turn(list(contenders), number):
                rates[name].append(await contenders[name].book(seconds))
    return figures_of(rates)


def in_turn(names: Sequence[str], number: int) -> Sequence[str]:
    """Another one begins each round, so that nobody always comes after the same."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def figures_of(rates: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    """The rates, and what they are to each other."""
    edge = rates["edge"]
    return [
        *(figure(f"booking.create.{name}", UNIT, rounds) for name, rounds in rates.items()),
        figure("booking.create.mesh_over_edge", "x", ratios(rates["mesh"], edge)),
        figure("booking.create.edge_over_usual", "x", ratios(edge, rates["usual"]), ">= 5"),
        figure("booking.create.direct_over_edge", "x", ratios(rates["direct"], edge), "<= 1.6"),
        figure("booking.create.edge_over_echo", "x", ratios(edge, rates["echo"]), ">= 0.5"),
        figure("booking.create.edge_over_pgbench", "x", ratios(edge, rates["pgbench"])),
    ]


@asynccontextmanager
async def _contenders(stage: Stage) -> AsyncGenerator[Mapping[str, Contender]]:
    layout = stage.layout
    usual_url = await _database(stage, USUAL_DATABASE)
    echo = service_spec(layout, "bench-echo", "bench.subjects.echo")
    usual = service_spec(layout, "bench-usual", "bench.subjects.usual", database_url=usual_url)
    async with AsyncExitStack() as stack:
        for spec in (echo, usual):
            await stack.enter_async_context(running(spec))

        async def edge(name: str, booking_port: int | None, *, by_mesh: bool = False) -> int:
            return await stack.enter_async_context(
                lifted_edge(layout, name, booking_port=booking_port, by_mesh=by_mesh)
            )

        yield {
            "edge": Service(stage=stage, port=await edge("edge-lifted", None)),
            "mesh": Service(stage=stage, port=await edge("edge-mesh", None, by_mesh=True)),
            "direct": Service(stage=stage, port=layout.ports[BOOKING.api]),
            "echo": Echo(stage=stage, port=await edge("edge-echo", echo.port)),
            "usual": Service(
                stage=stage, port=await edge("edge-usual", usual.port), database=USUAL_DATABASE
            ),
            "pgbench": Statements(stage=stage, url=await _database(stage, PGBENCH_DATABASE)),
        }


async def _database(stage: Stage, name: str) -> str:
    return await prepare_database(
        stage.platform.server.superuser_url(),
        name=name,
        passwords=stage.layout.credentials.database,
    )


ROW = Row(
    name="create",
    about="POST /v1/booking: by edge, by edge and mesh, directly, echoed, the usual way, bare SQL",
    measure=measure,
)
