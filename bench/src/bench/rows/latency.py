"""Row `latency`: how long a booking takes when 1000 come each second, fast or slow as it is."""

from collections.abc import Sequence

from bench import arrivals, wrk
from bench.edges import lifted_edge
from bench.errors import WrongAnswer
from bench.outcomes import Outcomes
from bench.requests import Answered
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage

RATE = 1000.0
SECONDS = 5.0
WARM_UP_SECONDS = 1.0


async def measure(stage: Stage) -> Sequence[Figure]:
    """Latencies count from the moment at which a booking was due."""
    seconds = stage.seconds(SECONDS)
    rounds: list[Outcomes[Answered]] = []
    async with lifted_edge(stage.layout, "edge-lifted") as port:
        await wrk.run(port, wrk.Plan.of_bookings(stage.bookings()), seconds=WARM_UP_SECONDS)
        for number in stage.rounds:
            stage.say(f"latency: round {number + 1} of {len(stage.rounds)}")
            rounds.append(await _offer(stage, port, seconds))
    return figures_of(rounds)


def figures_of(rounds: Sequence[Outcomes[Answered]]) -> Sequence[Figure]:
    """Of each round; what could not be sent has no latency, so it is counted beside it."""

    def milliseconds(percent: float) -> Sequence[float]:
        return [outcomes.percentile(percent) * 1000 for outcomes in rounds]

    unsent = [len(outcomes.unsent) for outcomes in rounds]
    rates = [outcomes.rate for outcomes in rounds]
    return [
        figure("booking.latency.p50", "ms", milliseconds(50)),
        figure("booking.latency.p99", "ms", milliseconds(99), "< 50"),
        figure("booking.latency.unsent", "bookings", unsent, "<= 0"),
        figure("booking.latency.achieved", "bookings/s", rates),
    ]


async def _offer(stage: Stage, port: int, seconds: float) -> Outcomes[Answered]:
    requests = stage.bookings()
    async with stage.ledger() as ledger:
        outcomes = await arrivals.offer(
            port=port,
            rate=RATE,
            seconds=seconds,
            render=requests.render,
            check=requests.read,
        )
        if outcomes.wrong or outcomes.refused or outcomes.failed:
            raise WrongAnswer(f"Not every booking was acknowledged: {dict(outcomes.troubles)}.")
        if not outcomes.acknowledged:
            raise WrongAnswer("Not one booking could be sent.")
        # Nothing was broken off, so there are neither more bookings than answers nor fewer.
        acknowledged = list(outcomes.acknowledged.values())
        await ledger.settle(acknowledged, sent=len(acknowledged))
    return outcomes


ROW = Row(
    name="latency",
    about="POST /v1/booking through the edge, 1000 arriving each second",
    measure=measure,
)
