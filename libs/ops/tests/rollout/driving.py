"""A driver of the small laptop, in a process of its own if need be: `python driving.py FOLDER`."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops import plane
from ops.rollout.commands import drive
from ops.rollout.laptop import LaptopSite
from ops.rollout.metrics.envoy import watching
from ops.rollout.places import Place, Sight
from ops.rollout.ports import Colour
from ops.rollout.state import Record, Rollout
from ops.rollout.store import FileStore
from ops.state import StateFolder


@dataclass
class FileLedger:
    """Moves in a file, a line each."""

    file: Path

    async def write(self, records: Sequence[Record]) -> None:
        written = self.numbers()
        with self.file.open("a") as file:
            for record in records:
                if record.number not in written:
                    file.write(f"{record.number}\n")

    def numbers(self) -> list[int]:
        return [int(line) for line in self.file.read_text().split()] if self.file.exists() else []


def place_on(folder: StateFolder) -> Place:
    """The small laptop as a place; what it needs no database for."""

    @asynccontextmanager
    async def seeing() -> AsyncGenerator[Sight]:
        async with watching(plane.admin_socket(folder)) as metrics:
            yield Sight(metrics=metrics, validate=_nothing_wrong)

    return Place(
        site=LaptopSite(folder),
        store=FileStore(folder.run),
        ledger=FileLedger(folder.run / "ledger"),
        calls={"booking-service": frozenset()},
        policy=Path(),
        named=str,
        seeing=seeing,
    )


async def _nothing_wrong(service: str, colour: Colour) -> Sequence[str]:
    return []


def quiet(rollout: Rollout, words: str) -> None:
    """Nobody looks."""


if __name__ == "__main__":
    asyncio.run(drive(place_on(StateFolder(Path(sys.argv[1]))), quiet))
