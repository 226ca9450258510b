import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import cli
from bench.errors import BenchError, WrongAnswer
from bench.results import Figure, figure
from bench.rows import Row
from bench.stage import Pace
from ops.errors import OpsError


class Work:
    """Stands in for measuring: remembers what was asked for, and gives figures or an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error
        self.rows: list[str] = []
        self.folder = Path()
        self.pace = Pace()

    async def __call__(self, rows: Sequence[Row], folder: Path, pace: Pace) -> Sequence[Figure]:
        self.rows, self.folder, self.pace = [row.name for row in rows], folder, pace
        assert self.folder.is_dir()
        if self._error:
            raise self._error
        return [figure("booking.create.edge", "bookings/s", [2100, 2000, 2200], ">= 2000")]


@pytest.fixture(autouse=True)
def wrk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has wrk."""
    program = tmp_path / "bin" / "wrk"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def test_measures_everything_and_writes_the_file_of_the_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work()
    assert cli.main([], results_folder=tmp_path / "results", work=work) == 0
    names = ["assignment", "create", "events", "latency", "memory", "reads", "startup", "sustained"]
    assert work.rows == names
    assert work.pace == Pace(rounds=5, seconds=None)
    assert not work.folder.exists()
    [file] = (tmp_path / "results").glob("*.json")
    assert json.loads(file.read_text()) == [
        {
            "name": "booking.create.edge",
            "value": 2100,
            "unit": "bookings/s",
            "goal": ">= 2000",
            "met": True,
        }
    ]
    shown = capsys.readouterr().out
    assert "booking.create.edge" in shown
    assert "limit over all clients is lifted" in shown
    assert str(file) in shown


def test_measures_some(tmp_path: Path) -> None:
    work = Work()
    names = ["reads", "create", "reads"]
    assert cli.main(names, results_folder=tmp_path, work=work) == 0
    assert work.rows == ["create", "reads"]


def test_a_shorter_run_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--rounds", "1"], ["--seconds", "1"]):
        assert cli.main(options, results_folder=tmp_path / "results", work=Work()) == 0
        assert "Nothing is written" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()


def test_a_shorter_run_is_kept_where_it_is_told_to(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    work = Work()
    assert cli.main(["--rounds", "1", "--seconds", "2", "--output", str(file)], work=work) == 0
    assert work.pace == Pace(rounds=1, seconds=2)
    assert json.loads(file.read_text())
    assert json.loads((tmp_path / "rounds" / "mine.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "nothing"], "There is no row nothing. There are: assignment, "),
        (["--rounds", "0"], "0 isn't a whole number above 0"),
        (["--seconds", "half"], "half isn't a whole number above 0"),
    ],
)
def test_wrong_usage_starts_nothing(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work()
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments, work=work)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
    assert work.rows == []


@pytest.mark.parametrize(
    "error",
    [
        WrongAnswer("Row create is worth nothing. 3 answers were wrong."),
        BenchError("There is no room."),
        OpsError("Port 8080 is in use by another program."),
    ],
)
def test_reports_nothing_when_something_was_wrong(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work(error)
    assert cli.main([], results_folder=tmp_path / "results", work=work) == 1
    said = capsys.readouterr()
    assert said.err == f"bench: {error}\n"
    assert "booking.create" not in said.out
    assert not (tmp_path / "results").exists()
    assert not work.folder.exists()


def test_without_wrk_nothing_starts(
    wrk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    work = Work()
    assert cli.main([], work=work) == 1
    assert "apt-get install wrk" in capsys.readouterr().err
    assert work.rows == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_reports_nothing_when_it_was_stopped(
    error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work(error)
    assert cli.main([], results_folder=tmp_path / "results", work=work) == 130
    assert "stopped before the end" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
    assert not work.folder.exists()
