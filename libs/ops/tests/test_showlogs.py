"""`ubertruck logs`."""

import json
import sys
from pathlib import Path

import pytest

from ops import showlogs
from ops.errors import OpsError
from ops.state import StateFolder

from .scripts import folder_in


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Three logs, one of them of Postgres."""
    found = folder_in(tmp_path)
    entry = {
        "time": "2026-11-24T03:15:00.123456+00:00",
        "level": "info",
        "message": "ready",
        "port": 1,
    }
    broken = {**entry, "message": "broken", "exception": "Traceback"}
    found.log_of("booking-blue-1").write_text(f"{json.dumps(entry)}\nplain\n[1]\n")
    found.log_of("auth-worker").write_text(f"{json.dumps(broken)}\n")
    (found.root / "postgres.log").write_text("LOG: ready\n")
    return found


def test_one_log_comes_as_it_is(folder: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    showlogs.show(folder, "booking", lines=2, follow=False)
    assert capsys.readouterr().out == "plain\n[1]\n"


def test_several_logs_say_whose_they_are(
    folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    showlogs.show(folder, None, lines=1, follow=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["auth-worker", "booking-blue-1", "postgres"]


def test_a_person_gets_readable_lines(
    folder: StateFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    showlogs.show(folder, "booking", lines=9, follow=False)
    showlogs.show(folder, "auth", lines=9, follow=False)
    assert capsys.readouterr().out.splitlines() == [
        "03:15:00.123 info ready port=1",
        "plain",
        "[1]",
        "03:15:00.123 info broken port=1 ",
        "Traceback",
    ]


def test_following_goes_on_until_interrupted(
    folder: StateFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_then_interrupt(_: float) -> None:
        if "new" in capsys.readouterr().out:
            raise KeyboardInterrupt
        with folder.log_of("booking-blue-1").open("a") as log:
            log.write("new\n")

    monkeypatch.setattr("time.sleep", write_then_interrupt)
    showlogs.show(folder, "booking", lines=0, follow=True)


def test_a_log_that_is_not_there_is_a_sentence(folder: StateFolder) -> None:
    with pytest.raises(OpsError, match=r"no log of payment\. There are: auth-worker, book"):
        showlogs.show(folder, "payment", lines=1, follow=False)
