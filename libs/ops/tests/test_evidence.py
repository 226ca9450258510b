"""`ubertruck evidence verify`: one sentence, and 0, 1 or 2."""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from booking.trips.evidence import export, next_entry
from ops import cli

TRIP = UUID("01938e6b-10aa-7d3e-8c5f-5a6b7c8d9e0f")
ENTRY = next_entry(
    TRIP,
    None,
    kind="accepted",
    at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    by="driver",
    data={"tare_kg": 9200},
)
DOCUMENT = export(TRIP, [ENTRY])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trip.json"
    path.write_bytes(DOCUMENT)
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Ran":
    return Ran(monkeypatch, capsys)


class Ran:
    """Runs the command and keeps what it printed."""

    def __init__(self, patch: pytest.MonkeyPatch, printed: pytest.CaptureFixture[str]) -> None:
        # The mask of the process that runs the tests stays as it is.
        patch.setattr("os.umask", int)
        self._patch, self._printed = patch, printed

    def __call__(self, *arguments: str) -> tuple[object, str]:
        self._patch.setattr(sys, "argv", ["ubertruck", "evidence", "verify", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._printed.readouterr()
        return ended.value.code or 0, printed.out + printed.err


def test_whole_is_0(ran: Ran, file: Path) -> None:
    code, said = ran(str(file))
    assert code == 0
    assert said == f"{file}: whole: trip {TRIP}, 1 entry, head {ENTRY.digest}.\n"
    assert ran(str(file), "--head", ENTRY.digest)[0] == 0


def test_changed_is_1(ran: Ran, file: Path) -> None:
    file.write_bytes(DOCUMENT.replace(b"9200", b"9201"))
    code, said = ran(str(file))
    assert code == 1
    assert said == (
        f"{file}: CHANGED: entry 1: its content is not what its digest was made from.\n"
    )


def test_another_head_is_1(ran: Ran, file: Path) -> None:
    code, said = ran(str(file), "--head", "0" * 64)
    assert code == 1
    assert "no entry has the digest" in said


def test_standard_input_is_read(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT)))
    assert ran("-")[0] == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"x" * (16 * 1024 * 1024 + 1)])
def test_something_else_is_2(ran: Ran, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    code, said = ran(str(file))
    assert code == 2
    assert said.startswith(f"ubertruck: {file}")
    assert said.count("\n") == 1


def test_a_missing_file_and_a_folder_are_2(ran: Ran, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        code, said = ran(str(path))
        assert code == 2
        assert said.count("\n") == 1
