"""The real platform, as `ubertruck up` runs it."""

import asyncio
import re
import signal
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.errors import BenchError
from chassis.embedded import EmbeddedPostgres
from ops import control, database
from ops.child import Child, Command, launcher
from ops.environment import base_environment
from ops.logfiles import last_words, tail
from ops.services import Layout
from ops.state import StateFolder

UBERTRUCK = Path(sys.executable).with_name("ubertruck")
START_SECONDS = 120.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.05
_UP = re.compile(r"^Up in (\d+\.\d) s;", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A running platform. `seconds` is how long it took to come up, by its own account."""

    layout: Layout
    seconds: float

    @property
    def server(self) -> EmbeddedPostgres:
        """Its Postgres, for who comes as superuser."""
        return database.server_of(self.layout.folder, self.layout.ports[database.NAME])

    async def processes(self) -> Mapping[str, Mapping[str, Any]]:
        """What `ubertruck status` knows of each process, by name; `memory` is in bytes."""
        status = await asyncio.to_thread(control.call, self.layout.folder, "status")
        rows = cast("dict[str, list[dict[str, Any]]]", status)["processes"]
        return {row["name"]: row for row in rows}

    @asynccontextmanager
    async def stopped(self, process: str) -> AsyncGenerator[None]:
        """One of its processes stands still until the body ends."""
        await asyncio.to_thread(control.call, self.layout.folder, "stop", name=process)
        try:
            yield
        finally:
            await asyncio.to_thread(control.call, self.layout.folder, "start", name=process)


@asynccontextmanager
async def running(root: Path) -> AsyncGenerator[Platform]:
    """A platform over the state folder `root`, until the body ends.

    It stops in order then, also when the body was cancelled, and dies with this process.
    """
    output = root.with_name(f"{root.name}.txt")
    output.unlink(missing_ok=True)
    command = Command(
        argv=[str(UBERTRUCK), "--state", str(root), "up", "--port", "0"],
        env=base_environment(),
        log=output,
    )
    child = await launcher(command)()
    ending = asyncio.create_task(child.wait())
    try:
        seconds = await _await_up(output, ending)
        yield Platform(layout=Layout.remembered(StateFolder(root)), seconds=seconds)
    finally:
        await _stop(child, ending)


async def _await_up(output: Path, ending: asyncio.Task[int | None]) -> float:
    deadline = time.monotonic() + START_SECONDS
    while (found := _UP.search(_text(output))) is None:
        if ending.done():
            words = last_words(tail(output, 20)).removeprefix("ubertruck: ")
            raise BenchError(f"The platform doesn't come up: {words}")
        if time.monotonic() > deadline:
            raise BenchError(f"The platform isn't up after {START_SECONDS:.0f} s.")
        await asyncio.sleep(POLL_SECONDS)
    return float(found[1])


def _text(output: Path) -> str:
    return output.read_text(errors="replace")


async def _stop(child: Child, ending: asyncio.Task[int | None]) -> None:
    child.signal(signal.SIGTERM)
    done, _ = await asyncio.wait([ending], timeout=STOP_SECONDS)
    if not done:
        child.kill_group()
        await ending
