import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bench.errors import BenchError, WrongAnswer
from bench.outcomes import Outcomes
from bench.requests import Answered
from bench.rows import (
    assignment,
    create,
    events,
    every_row,
    find_row,
    latency,
    memory,
    reads,
    sustained,
)


def test_every_file_is_a_row_of_its_name() -> None:
    rows = every_row()
    assert set(rows) == {
        "assignment",
        "create",
        "events",
        "latency",
        "memory",
        "reads",
        "startup",
        "sustained",
    }
    assert all(row.name == name and row.about for name, row in rows.items())


def test_an_unknown_row_is_told_what_there_is() -> None:
    assert find_row("reads").measure is reads.measure
    with pytest.raises(BenchError, match=r"no row nothing\. There are: assignment, create, events"):
        find_row("nothing")


def test_rates_of_bookings_are_set_against_each_other() -> None:
    rates = {
        "edge": [2000.0, 2200.0],
        "mesh": [1800.0, 1980.0],
        "direct": [3000.0, 3300.0],
        "echo": [4000.0, 4400.0],
        "usual": [500.0, 500.0],
        "pgbench": [4000.0, 4000.0],
    }
    figures = {figure.name: figure for figure in create.figures_of(rates)}
    assert figures["booking.create.edge"].value == 2100
    assert figures["booking.create.edge_over_usual"].value == pytest.approx(4.2)
    assert figures["booking.create.mesh_over_edge"].value == 0.9
    assert figures["booking.create.direct_over_edge"].value == 1.5
    assert figures["booking.create.edge_over_echo"].value == 0.5
    assert figures["booking.create.edge_over_pgbench"].value == 0.525
    assert [one.met for one in figures.values() if one.goal] == [False, True, True]


def test_each_round_begins_with_another() -> None:
    rounds = [create.in_turn("abc", number) for number in range(4)]
    assert rounds == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_latencies_come_with_what_could_not_be_sent() -> None:
    good, bad = Outcomes[Answered](seconds=1.0), Outcomes[Answered](seconds=1.0)
    good.latencies.extend([0.001, 0.002, 0.04])
    bad.latencies.extend([0.001, 0.002, 0.08])
    bad.unsent.extend([3, 4])
    figures = {figure.name: figure for figure in latency.figures_of([good, bad, bad])}
    assert figures["booking.latency.p50"].value == 2
    assert (figures["booking.latency.p99"].value, figures["booking.latency.p99"].met) == (80, False)
    unsent = figures["booking.latency.unsent"]
    assert (unsent.value, unsent.met) == (2, False)


def test_memory_is_that_of_each_process_and_of_all() -> None:
    found = {"booking-blue-1": [100.0, 120.0, 111.0], "postgres": [200.0, 300.0, 250.0]}
    assert {one.name: (one.value, one.met) for one in memory.figures_of(found)} == {
        "memory.booking-blue-1": (111, False),
        "memory.postgres": (250, None),
        "memory.platform": (361, None),
    }


def test_lists_of_many_are_set_against_lists_of_few() -> None:
    p99s = {
        ("first", "10k"): [10.0, 10.0],
        ("first", "1m"): [12.0, 13.0],
        ("deep", "10k"): [10.0, 10.0],
        ("deep", "1m"): [20.0, 13.0],
    }
    figures = {figure.name: figure for figure in reads.figures_of([400.0, 500.0], p99s)}
    assert figures["booking.read.edge"].value == 450
    assert figures["booking.list.first.1m_over_10k"].met
    assert not figures["booking.list.deep.1m_over_10k"].met


def test_processors_are_counted_by_the_booking() -> None:
    minute = sustained.Minute(
        bookings=120_000,
        rate=2000,
        each_second=[2100, 1900],
        spent={"booking": 30.0, "idle": 6.0},
        drained=0,
    )
    figures = sustained.figures_of("sustained", minute, ">= 2000")
    assert {one.name: (one.value, one.unit) for one in figures} == {
        "sustained.edge": (2000, "bookings/s"),
        "sustained.slowest_second": (1900, "bookings/s"),
        "sustained.cpu.booking": (250, "us/booking"),
        "sustained.cpu.idle": (50, "us/booking"),
    }


def test_events_are_followed_to_the_commit_of_their_effect() -> None:
    first, second = uuid4(), uuid4()
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    happened = {first: at, second: at + timedelta(seconds=1)}
    committed = {first: at.timestamp() + 0.02, second: at.timestamp() + 1.3}
    seconds = sorted(events.lags_of(happened, committed))
    assert seconds == pytest.approx([0.02, 0.3])
    lags = events.Lags(seconds=seconds, rate=499)
    figures = {
        one.name: (one.value, one.met)
        for one in events.figures_of([lags], relayed=[2000, 4000, 3000], handled=900)
    }
    assert figures == {
        "events.effect.p50": (pytest.approx(20), None),
        "events.effect.p99": (pytest.approx(300), False),
        "events.effect.achieved": (499, None),
        "events.drain.relay": (3000, True),
        "events.drain.consumer": (900, None),
    }


def answered(**changes: object) -> bytes:
    trip = {"trip_id": str(TRIP), "truck_id": str(TRUCK)}
    body = {"booking_id": str(BOOKING), "assigned": [trip], "open_mt": 0}
    return json.dumps({**body, **changes}).encode()


BOOKING, TRUCK, TRIP = uuid4(), uuid4(), uuid4()


def test_an_assignment_is_the_whole_load_on_the_right_truck() -> None:
    for truck in (TRUCK, None):
        assert assignment.check_assigned(answered(), booking_id=BOOKING, truck_id=truck) == TRIP


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (answered(open_mt=1), "isn't covered"),
        (answered(booking_id=str(uuid4())), "isn't covered"),
        (answered(assigned=[]), "Not one truck"),
        (answered(assigned=[{"trip_id": str(TRIP), "truck_id": str(uuid4())}]), "Another truck"),
    ],
    ids=["part", "booking", "nothing", "truck"],
)
def test_any_other_assignment_is_wrong(body: bytes, complaint: str) -> None:
    with pytest.raises(WrongAnswer, match=complaint):
        assignment.check_assigned(body, booking_id=BOOKING, truck_id=TRUCK)


@pytest.mark.parametrize(
    ("loads", "open_mt", "cursor", "right"),
    [(50, 25, "c", True), (49, 25, "c", False), (50, 0, "c", False), (50, 25, None, False)],
)
def test_the_board_is_a_page_of_open_loads(
    loads: int, open_mt: float, cursor: str | None, right: bool
) -> None:
    page = {"items": [{"open_mt": open_mt}] * loads, "next_cursor": cursor}
    body = json.dumps(page).encode()
    if right:
        assignment.check_board(body)
    else:
        with pytest.raises(WrongAnswer):
            assignment.check_board(body)


def test_assignments_are_told_in_milliseconds() -> None:
    figures = assignment.figures_of({"board": [0.01, 0.02, 0.03], "accept": [0.2]})
    assert [(one.name, one.value, one.met) for one in figures] == [
        ("assignment.board.p99", 20, True),
        ("assignment.accept.p99", 200, False),
    ]
