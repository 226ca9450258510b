"""`docs/events` says what the catalogue says, and nothing released is broken."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ops.event_documents import BEGIN, END, main

PAGES = Path(__file__).parents[3] / "docs" / "events"
REQUESTED = "in.ubertruck.booking.requested.v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PAGES, tmp_path / "events"))


def schema(folder: Path, change: Any = None) -> dict[str, Any]:
    path = folder / "schemas" / f"{REQUESTED}.json"
    found = json.loads(path.read_text())
    if change is not None:
        change(found)
        path.write_text(json.dumps(found))
    return found


def test_the_pages_are_up_to_date() -> None:
    assert main(["--check"], folder=PAGES) == 0


def test_nothing_is_written_when_nothing_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], folder=folder) == 0
    assert capsys.readouterr().out == ""


def test_what_is_behind_is_named_and_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_text() for path in folder.rglob("*.*")}
    (folder / "asyncapi.json").write_text("{}")
    (folder / "schemas" / f"{REQUESTED}.json").unlink()
    page = folder / "README.md"
    page.write_text(page.read_text().replace(END, f"| old |\n{END}"))
    assert main(["--check"], folder=folder) == 1
    assert capsys.readouterr().out.count("is behind") == 3
    assert main([], folder=folder) == 0
    assert {path: path.read_text() for path in folder.rglob("*.*")} == before


def test_what_people_wrote_on_the_page_stays(folder: Path) -> None:
    page = folder / "README.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    assert "## How to add an event" in after
    page.write_text(f"{before}{BEGIN}{END}{after}")
    assert main([], folder=folder) == 0
    assert page.read_text() == (PAGES / "README.md").read_text()


@pytest.mark.parametrize("mark", [BEGIN, END])
def test_a_page_without_a_place_for_the_table_is_left_alone(folder: Path, mark: str) -> None:
    page = folder / "README.md"
    without = page.read_text().replace(mark, "")
    page.write_text(without)
    with pytest.raises(ValueError, match="no place for the table"):
        main([], folder=folder)
    assert page.read_text() == without


@pytest.mark.parametrize("argv", [[], ["--check"]])
def test_a_broken_release_is_refused_and_stays(
    folder: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    def with_another_field(released: dict[str, Any]) -> None:
        released["properties"]["colour"] = {"type": "string"}

    released = schema(folder, with_another_field)
    assert main(argv, folder=folder) == 1
    assert f"{REQUESTED}: data.colour is gone" in capsys.readouterr().out
    assert schema(folder) == released


def test_a_release_that_the_catalogue_lost_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "schemas" / "in.ubertruck.booking.lost.v1.json").write_text("{}")
    assert main([], folder=folder) == 1
    assert "in.ubertruck.booking.lost.v1: is in the catalogue no more" in capsys.readouterr().out
