"""A process that gives way to a successor: small ones, and the real edge under load."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ops import edge, keys_copy
from ops.child import Command, launcher
from ops.ports import allot
from ops.process import Phase, Process, Spec, StartError, Watcher
from ops.services import Layout, port_names
from ops.state import StateFolder
from ops.supervisor import Supervisor

from .scripts import QUICK, SLEEP, folder_in, script
from .support import eventually

# Its log is one for all generations, so what is printed says nothing of readiness.
TAKES_OVER = f'kill -TERM "$OLD"; {SLEEP}'


def successful(folder: StateFolder, text: str) -> tuple[Spec, list[int]]:
    """A process whose successors run `text`, with the pid of the first in OLD; and who followed."""
    first = script(folder, f"echo $$ > {folder.root}/old; {SLEEP}")
    generations: list[int] = []

    async def succeed(generation: int) -> object:
        generations.append(generation)
        old = (folder.root / "old").read_text().strip()
        command = Command(
            argv=["/bin/sh", "-c", text], env={"PATH": os.defpath, "OLD": old}, log=first.log
        )
        return await launcher(command)()

    return replace(first, succeed=succeed), generations  # pyright: ignore[reportArgumentType]


@asynccontextmanager
async def kept(spec: Spec) -> AsyncGenerator[Process]:
    process = Process(spec, Watcher(say=print, changed=lambda: None, failed=print), QUICK)
    try:
        await process.come_up(10)
        yield process
    finally:
        process.kill()
        await process.stop()


async def knows_itself(tmp_path: Path, process: Process) -> None:
    """Return once the first of a line has written down who it is: nothing else tells of that."""
    old = tmp_path / ".ubertruck" / "old"
    await eventually(lambda: old.exists() and old.read_text().strip() == str(process.pid))


def is_gone(pid: int | None) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_a_successor_takes_over_and_is_looked_after(tmp_path: Path) -> None:
    spec, generations = successful(folder_in(tmp_path), TAKES_OVER)
    async with kept(spec) as process:
        first = process.pid
        await knows_itself(tmp_path, process)
        await process.give_way(10)
        second = process.pid
        assert second not in (None, first)
        assert is_gone(first)
        assert (process.phase, process.restarts, process.exit_code) == (
            Phase.READY,
            0,
            -signal.SIGTERM,
        )
        assert second is not None
        os.kill(second, signal.SIGKILL)
        await eventually(lambda: process.restarts == 1 and process.phase is Phase.READY)
        await knows_itself(tmp_path, process)
        await process.give_way(10)
        assert generations == [1, 1], "a crash ends the line"
        assert process.restarts == 1


@pytest.mark.parametrize(
    ("text", "seconds", "words"), [("echo broken; exit 1", 10, "broken"), (SLEEP, 0.2, "take over")]
)
async def test_without_a_successor_the_first_goes_on(
    tmp_path: Path, text: str, seconds: float, words: str
) -> None:
    spec, generations = successful(folder_in(tmp_path), text)
    async with kept(spec) as process:
        first = process.pid
        await knows_itself(tmp_path, process)
        for _ in range(2):
            with pytest.raises(StartError, match=words):
                await process.give_way(seconds)
            await eventually(lambda: process.phase is Phase.READY)
        assert (process.pid, process.restarts) == (first, 0)
        assert generations == [1, 1], "one that failed doesn't count"


async def test_when_both_end_it_is_started_anew(tmp_path: Path) -> None:
    spec, _ = successful(folder_in(tmp_path), 'kill -KILL "$OLD"; exit 3')
    async with kept(spec) as process:
        await knows_itself(tmp_path, process)
        # Whichever end was noticed first.
        with suppress(StartError):
            await process.give_way(10)
        await eventually(lambda: process.restarts >= 1 and process.phase is Phase.READY)


async def test_stopped_in_the_middle_it_leaves_nobody(tmp_path: Path) -> None:
    spec, _ = successful(folder_in(tmp_path), f"echo $$ > {tmp_path}/new; {SLEEP}")
    async with kept(spec) as process:
        first = process.pid
        await knows_itself(tmp_path, process)
        giving = asyncio.create_task(process.give_way(30))
        await eventually(
            lambda: (tmp_path / "new").exists() and (tmp_path / "new").read_text() != ""
        )
        second = int((tmp_path / "new").read_text())
        with pytest.raises(StartError, match="can't give way now"):
            await process.give_way(1)
        await process.stop()
        with pytest.raises(StartError, match="was stopped"):
            await giving
        assert is_gone(first)
        assert is_gone(second)
        assert process.phase is Phase.STOPPED


async def test_the_edge_is_restarted_and_nobody_is_refused(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    layout = Layout.of(folder, allot(["postgres", edge.NAME, *port_names()], folder.ports_file))
    described = edge.describe(layout, by_mesh=False)
    keys_copy.take_last(layout, described.tokens)
    supervisor = Supervisor(folder, print)
    over = asyncio.Event()
    answers: Counter[str] = Counter()

    async def ask() -> None:
        """Again and again by a connection that is kept for as long as the edge keeps it."""
        while not over.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", described.listen.port)
            kept_alive = True
            while kept_alive and not over.is_set():
                writer.write(b"GET /docs HTTP/1.1\r\nhost: a\r\n\r\n")
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length))
                answers[head[:12].decode()] += 1
                kept_alive = b"connection: close" not in head
                await asyncio.sleep(0.02)
            writer.close()

    try:
        await supervisor.start([edge.spec(layout, described)])
        pids = {supervisor.find(edge.NAME).pid}
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(ask())
            for _ in range(2):
                await supervisor.restart_one(edge.NAME)
                pids.add(supervisor.find(edge.NAME).pid)
            over.set()
        assert len(pids) == 3
        assert set(answers) == {"http/1.1 200"}
    finally:
        await supervisor.stop(supervisor.processes.values())
        edge.forget(layout)
