"""What `docs/events` says of events, made from the catalogue.

    python -m ops.event_documents [--check]

Writes the schemas, the AsyncAPI document and the table of the page; with `--check` it writes
nothing and exits with 1 when something there is behind. It never writes over a released schema what
may not follow it, and never removes one.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chassis.events import CloudEvent
from contracts.asyncapi import document
from contracts.catalogue import EVENTS, as_markdown
from contracts.events import Event
from contracts.schemas import breaks, schema_of

FOLDER = Path("docs", "events")
BEGIN = "<!-- Made by `make docs`: -->\n"
END = "<!-- Until here. -->\n"


class Incompatible(Exception):
    """The catalogue isn't what was released any more. The message says where, a line each."""


def documents(folder: Path, events: Mapping[str, Event] = EVENTS) -> dict[Path, str]:
    """What has to stand in each file below `folder`. Raises `Incompatible`."""
    schemas = {_schema_path(folder, type_): schema_of(e.data) for type_, e in events.items()}
    _check_released(folder, schemas)
    page = folder / "README.md"
    return {
        **{path: _json(schema) for path, schema in schemas.items()},
        folder / "envelope.json": _json(schema_of(CloudEvent)),
        folder / "asyncapi.json": _json(document(events.values(), envelope=CloudEvent)),
        page: _with_table(page.read_text()),
    }


def _schema_path(folder: Path, type_: str) -> Path:
    return folder / "schemas" / f"{type_}.json"


def _check_released(folder: Path, schemas: Mapping[Path, dict[str, Any]]) -> None:
    faults: list[str] = []
    for path in sorted((folder / "schemas").glob("*.json")):
        if path in schemas:
            why = breaks(json.loads(path.read_text()), schemas[path])
            faults += (f"{path.stem}: {sentence}" for sentence in why)
        else:
            faults.append(f"{path.stem}: is in the catalogue no more")
    if faults:
        raise Incompatible("\n".join(faults))


def _with_table(page: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no place for the table, from {BEGIN!r} to {END!r}")
    return f"{before}{BEGIN}\n{as_markdown()}\n{END}{after}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main(argv: list[str] | None = None, *, folder: Path = FOLDER) -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.event_documents")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    wanted = parser.parse_args(argv)
    try:
        made = documents(folder)
    except Incompatible as error:
        print(error)
        print("A released event only gains optional fields: give the changed one a new version.")
        return 1
    behind = [p for p, text in made.items() if not p.exists() or p.read_text() != text]
    if wanted.check:
        for path in behind:
            print(f"{path} is behind the catalogue: run 'make docs' and commit the result.")
        return 1 if behind else 0
    for path in behind:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
