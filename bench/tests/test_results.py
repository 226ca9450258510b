import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.results import Goal, figure, ratios, rounded, table, write, write_rounds


def test_the_value_is_the_median_of_the_rounds() -> None:
    assert figure("a", "x", [5, 1, 3]).value == 3
    assert figure("a", "x", [1, 2, 3, 10]).value == 2.5


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (">= 2000", 2000, True),
        (">= 2000", 1999, False),
        ("<= 1.3", 1.3, True),
        ("<= 1.3", 1.301, False),
        ("< 50", 49.99, True),
        ("< 50", 50, False),
        ("<= 0", 0, True),
        (None, 7, None),
    ],
)
def test_a_goal_is_met_or_not(goal: str | None, value: float, met: bool | None) -> None:
    assert figure("a", "x", [value], goal).met is met


def test_what_is_written_and_what_is_judged_are_the_same_number() -> None:
    entry = figure("a", "x", [1.30004], "<= 1.3").entry()
    assert (entry["value"], entry["met"]) == (1.3, True)


def test_a_goal_reads_as_it_is_written() -> None:
    assert [str(Goal.of(text)) for text in (">= 2000", "<= 1.3", "< 50")] == [
        ">= 2000",
        "<= 1.3",
        "< 50",
    ]
    with pytest.raises(ValueError, match="doesn't compare by =="):
        Goal.of("== 1")


def test_ratios_are_of_rounds_that_stood_side_by_side() -> None:
    assert ratios([10, 30], [5, 10]) == [2, 3]
    with pytest.raises(ValueError, match="zip"):
        ratios([1], [1, 2])


@pytest.mark.parametrize(
    ("value", "shown"), [(123456.7, 123457), (1234.5678, 1235), (0.123456, 0.1235), (0.0, 0)]
)
def test_four_digits(value: float, shown: float) -> None:
    assert rounded(value) == shown


def test_the_file_is_a_list_of_entries(tmp_path: Path) -> None:
    path = tmp_path / "results" / "2026-11-24.json"
    write([figure("b", "ms", [1, 2, 3], "< 50"), figure("a", "x", [0.5])], path)
    assert json.loads(path.read_text()) == [
        {"name": "a", "value": 0.5, "unit": "x", "goal": None, "met": None},
        {"name": "b", "value": 2.0, "unit": "ms", "goal": "< 50", "met": True},
    ]


def test_a_later_run_replaces_its_own_figures_only(tmp_path: Path) -> None:
    path = tmp_path / "day.json"
    write([figure("a", "x", [1]), figure("b", "x", [2])], path)
    write([figure("b", "x", [3]), figure("c", "x", [4])], path)
    found = {entry["name"]: entry["value"] for entry in json.loads(path.read_text())}
    assert found == {"a": 1, "b": 3, "c": 4}


def test_the_rounds_are_kept_with_their_machine(tmp_path: Path) -> None:
    path = tmp_path / "day.json"
    write_rounds([figure("a", "x", [1])], {"cores": "4"}, path)
    write_rounds([figure("b", "x", [3, 2.00001])], {"cores": "2"}, path)
    assert json.loads((tmp_path / "rounds" / "day.json").read_text()) == {
        "a": {"rounds": [1], "cores": "4"},
        "b": {"rounds": [3, 2], "cores": "2"},
    }


def test_the_table_shows_noise_and_goals() -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(
        table(
            [
                figure("booking.create.edge", "bookings/s", [123456, 99, 2500]),
                figure("ratio", "x", [2], ">= 5"),
                figure("p99", "ms", [20], "< 50"),
            ]
        )
    )
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[1:] == [
        ["booking.create.edge", "2500", "bookings/s", "99", "123456", "3"],
        ["ratio", "2", "x", "2", "2", "1", ">=", "5", "no"],
        ["p99", "20", "ms", "20", "20", "1", "<", "50", "yes"],
    ]
