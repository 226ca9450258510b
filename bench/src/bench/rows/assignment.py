"""Row `assignment`: the board, and trucks for loads, while ten thousand trips are open."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from bench import arrivals, open_trips, wrk
from bench.edges import lifted_edge
from bench.errors import WrongAnswer
from bench.fill import samples
from bench.open_trips import CAPACITY_MT, Pair
from bench.processes import running, service_spec
from bench.requests import get, post
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Stage
from bench.subjects.databases import prepare_database
from bench.tokens import Token, mint_for, shipper
from chassis.provisioning import administrate
from ops.services import BOOKING

DATABASE = "bench_assignment"
OPEN_TRIPS = 10_000
FLEETS = 20
PAGE_ROWS = 50
# Well below what one process can assign, so that one assignment is measured and not a queue.
RATE = 20.0
SECONDS = 6.0
WARM_UP_SECONDS = 1.0
SAMPLING_SECONDS = 2.0
KINDS = ("board", "accept", "assign")

_COUNTS = """
    SELECT (SELECT count(*) FROM trips),
        (SELECT count(*) FROM outbox WHERE type = 'in.ubertruck.trip.assigned.v1'),
        (SELECT count(*) FROM outbox WHERE type = 'in.ubertruck.booking.assigned.v1'),
        (SELECT count(*) FROM booking_coverage WHERE covered_mt = quantity_mt)
"""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where it is asked, who asks, and what for. Loads and pairs are used up from the front."""

    port: int
    fleets: Mapping[UUID, Token]
    operator: Token
    loads: list[UUID]
    pairs: list[Pair]
    connection: AsyncConnection


async def measure(stage: Stage) -> Sequence[Figure]:
    """One after the other within each round, so that none disturbs another."""
    seconds = stage.seconds(SECONDS)
    many = round(RATE * (WARM_UP_SECONDS + seconds * len(stage.rounds)))
    fleets, operator = await _people(stage)
    server = stage.platform.server.superuser_url()
    passwords = stage.layout.credentials.database
    url = await prepare_database(server, name=DATABASE, passwords=passwords)
    stage.say(f"Filling a database with {OPEN_TRIPS} open trips")
    copied = await _copied(stage)
    spec = service_spec(stage.layout, "bench-assignment", BOOKING.package, "api", database_url=url)
    async with (
        administrate(server, database=DATABASE) as connection,
        running(spec),
        lifted_edge(stage.layout, "edge-assignment", booking_port=spec.port) as port,
    ):
        work = await open_trips.fill(
            connection,
            trips=OPEN_TRIPS,
            # Also when the last has been taken the board has a page and more.
            loads=2 * many + 2 * PAGE_ROWS,
            pairs=many,
            free=2 * many,
            copied=copied,
            fleets=[token.shipper for token in fleets],
        )
        desk = Desk(
            port=port,
            fleets={token.shipper.tenant_id: token for token in fleets},
            operator=operator,
            loads=list(work.loads),
            pairs=list(work.pairs),
            connection=connection,
        )
        p99s: defaultdict[str, list[float]] = defaultdict(list)
        for kind in KINDS:
            await _ask(desk, kind, WARM_UP_SECONDS)
        for number in stage.rounds:
            stage.say(f"assignment: round {number + 1} of {len(stage.rounds)}")
            for kind in KINDS:
                p99s[kind].append(await _ask(desk, kind, seconds))
    return figures_of(p99s)


def figures_of(p99s: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    """Milliseconds, of seconds."""
    return [
        figure(f"assignment.{kind}.p99", "ms", [one * 1000 for one in rounds], "< 100")
        for kind, rounds in p99s.items()
    ]


def check_board(body: bytes) -> None:
    """WrongAnswer unless it is a whole page of loads that are open, with more to come."""
    page = orjson.loads(body)
    if len(page["items"]) != PAGE_ROWS or not page["next_cursor"]:
        raise WrongAnswer(f"It isn't a page of {PAGE_ROWS} loads with more to come.")
    if any(load["open_mt"] != CAPACITY_MT for load in page["items"]):
        raise WrongAnswer("A load on the board isn't open.")


def check_assigned(body: bytes, *, booking_id: UUID, truck_id: UUID | None) -> UUID:
    """The trip; WrongAnswer unless one truck took all of this load, and `truck_id` if it is one."""
    answer: Mapping[str, Any] = orjson.loads(body)
    if answer["booking_id"] != str(booking_id) or answer["open_mt"] != 0:
        raise WrongAnswer("The load isn't covered.")
    if len(answer["assigned"]) != 1:
        raise WrongAnswer("Not one truck was assigned.")
    [trip] = answer["assigned"]
    if truck_id is not None and trip["truck_id"] != str(truck_id):
        raise WrongAnswer("Another truck was assigned.")
    return UUID(trip["trip_id"])


async def _ask(desk: Desk, kind: str, seconds: float) -> float:
    """The 99th percentile, in seconds; WrongAnswer unless the books agree with the answers."""
    before = await _counts(desk.connection)
    render, check = {"board": _board, "accept": _accept, "assign": _assign}[kind](desk)
    outcomes = await arrivals.offer(
        port=desk.port, rate=RATE, seconds=seconds, render=render, check=check
    )
    if outcomes.troubles:
        raise WrongAnswer(f"Not every answer was right and in time: {dict(outcomes.troubles)}.")
    trips = {trip for trip in outcomes.acknowledged.values() if trip is not None}
    came = [now - then for now, then in zip(await _counts(desk.connection), before, strict=True)]
    if any(count != len(trips) for count in came):
        raise WrongAnswer(
            f"{len(trips)} trips were answered, but there are {came} of trips, their events, their "
            "bookings' events, and covered loads."
        )
    return outcomes.percentile(99)


Renders = Callable[[int], bytes]
Checks = Callable[[int, bytes], UUID | None]


def _board(desk: Desk) -> tuple[Renders, Checks]:
    requests = [get(f"/v1/board?limit={PAGE_ROWS}", token) for token in desk.fleets.values()]

    def check(_number: int, body: bytes) -> None:
        check_board(body)

    return lambda number: requests[number % len(requests)], check


def _accept(desk: Desk) -> tuple[Renders, Checks]:
    at = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    asked: dict[int, tuple[UUID, UUID]] = {}

    def render(number: int) -> bytes:
        booking_id, pair = desk.loads.pop(), desk.pairs.pop()
        asked[number] = (booking_id, pair.truck_id)
        body = {
            "truck_id": str(pair.truck_id),
            "driver_id": str(pair.driver_id),
            "load_mt": CAPACITY_MT,
            "pickup_at": at,
        }
        path, token = f"/v1/board/{booking_id}/accept", desk.fleets[pair.tenant_id]
        return post(path, token, json.dumps(body).encode())

    def check(number: int, body: bytes) -> UUID:
        booking_id, truck_id = asked[number]
        return check_assigned(body, booking_id=booking_id, truck_id=truck_id)

    return render, check


def _assign(desk: Desk) -> tuple[Renders, Checks]:
    asked: dict[int, UUID] = {}

    def render(number: int) -> bytes:
        asked[number] = desk.loads.pop()
        return post(f"/v1/board/{asked[number]}/assign", desk.operator)

    def check(number: int, body: bytes) -> UUID:
        return check_assigned(body, booking_id=asked[number], truck_id=None)

    return render, check


async def _people(stage: Stage) -> tuple[Sequence[Token], Token]:
    people = [shipper(number) for number in range(FLEETS + 1)]
    fleets = await mint_for(stage.layout, people[1:], roles=("fleet_owner",))
    [operator] = await mint_for(stage.layout, people[:1], roles=("operator",))
    return fleets, operator


async def _copied(stage: Stage) -> str:
    """Bookings as the platform makes them, to be copied."""
    plan = wrk.Plan.of_bookings(stage.bookings())
    await wrk.run(stage.layout.ports[BOOKING.api], plan, seconds=SAMPLING_SECONDS)
    server = stage.platform.server.superuser_url()
    async with administrate(server, database=BOOKING.name) as connection:
        return await samples(connection)


async def _counts(connection: AsyncConnection) -> Sequence[int]:
    return tuple((await connection.exec_driver_sql(_COUNTS)).one())


ROW = Row(
    name="assignment",
    about="The board, taking a load, and the nearest truck for one, with 10 000 trips open",
    measure=measure,
)
