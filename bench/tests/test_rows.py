import pytest

from bench.errors import BenchError
from bench.outcomes import Outcomes
from bench.requests import Answered
from bench.rows import create, every_row, find_row, latency, memory, reads, sustained


def test_every_file_is_a_row_of_its_name() -> None:
    rows = every_row()
    assert set(rows) == {"create", "latency", "memory", "reads", "startup", "sustained"}
    assert all(row.name == name and row.about for name, row in rows.items())


def test_an_unknown_row_is_told_what_there_is() -> None:
    assert find_row("reads").measure is reads.measure
    with pytest.raises(BenchError, match=r"no row nothing\. There are: create, latency, memory"):
        find_row("nothing")


def test_rates_of_bookings_are_set_against_each_other() -> None:
    rates = {
        "edge": [2000.0, 2200.0],
        "direct": [3000.0, 3300.0],
        "echo": [4000.0, 4400.0],
        "usual": [500.0, 500.0],
        "pgbench": [4000.0, 4000.0],
    }
    figures = {figure.name: figure for figure in create.figures_of(rates)}
    assert figures["booking.create.edge"].value == 2100
    assert figures["booking.create.edge_over_usual"].value == pytest.approx(4.2)
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
    figures = sustained.figures_of({"booking": 30.0, "idle": 6.0}, bookings=120_000)
    assert {one.name: (one.value, one.unit) for one in figures} == {
        "booking.sustained.cpu.booking": (250, "us/booking"),
        "booking.sustained.cpu.idle": (50, "us/booking"),
    }
