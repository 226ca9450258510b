"""All processes together: started side by side, stopped in order, asked for by name."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest

from ops.child import Command
from ops.errand import ErrandError, run_to_end
from ops.errors import OpsError
from ops.process import Phase, StartError
from ops.signals import caught
from ops.state import StateFolder, read_json
from ops.supervisor import Supervisor

from .scripts import QUICK, SLEEP, folder_in, script
from .support import eventually


@asynccontextmanager
async def supervising(folder: StateFolder) -> AsyncGenerator[Supervisor]:
    """A supervisor whose processes are gone afterwards."""
    supervisor = Supervisor(folder, lambda _: None, QUICK)
    try:
        yield supervisor
    finally:
        await supervisor.stop(supervisor.processes.values())


def recorded_in(folder: StateFolder) -> set[str]:
    return set(cast("dict[str, object]", read_json(folder.processes_file)["processes"]))


async def test_all_come_up_side_by_side_and_are_recorded(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with supervising(folder) as supervisor:
        await supervisor.start([script(folder, SLEEP, name=name) for name in "ab"])
        assert recorded_in(folder) == {"a", "b"}
    assert recorded_in(folder) == set()


async def test_one_that_does_not_come_up_is_named(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with supervising(folder) as supervisor:
        bad = script(folder, "echo no port; exit 78", name="bad", says="never")
        with pytest.raises(StartError, match=r"^bad doesn't run \(exit code 78\): no port$"):
            await supervisor.start([script(folder, SLEEP, name="good"), bad])
        assert await supervisor.failure == "bad doesn't run (exit code 78): no port"


async def test_waves_are_stopped_one_after_the_other(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    order = tmp_path / "order"

    def noting(name: str) -> str:
        return f"trap 'echo {name} >> {order}; exit 0' TERM; echo up; while :; do sleep 0.02; done"

    async with supervising(folder) as supervisor:
        specs = [script(folder, noting(name), name=name, says="up") for name in "cab"]
        await supervisor.start(specs)
        found = supervisor.processes
        await supervisor.stop([found["a"]], [found["b"]], [found["c"]])
    assert order.read_text().split() == ["a", "b", "c"]


async def test_processes_are_stopped_started_and_restarted_by_name(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with supervising(folder) as supervisor:
        await supervisor.start([script(folder, SLEEP, name="a")])
        process = supervisor.find("a")
        await supervisor.stop_one("a")
        assert process.phase is Phase.STOPPED
        await supervisor.start_one("a")
        first = process.pid
        await asyncio.gather(supervisor.restart_one("a"), supervisor.restart_one("a"))
        assert process.phase is Phase.READY
        assert process.pid != first
        assert process.restarts == 0


async def test_nobody_unknown_is_found(tmp_path: Path) -> None:
    async with supervising(folder_in(tmp_path)) as supervisor:
        with pytest.raises(OpsError, match=r"no process x\. There are: ") as error:
            await supervisor.restart_one("x")
        assert error.value.code == 2


async def test_a_stopping_platform_starts_nothing(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with supervising(folder) as supervisor:
        await supervisor.start([script(folder, SLEEP, name="a")])
        await supervisor.stop(supervisor.processes.values())
        with pytest.raises(OpsError, match="stopping"):
            await supervisor.start_one("a")


async def test_a_folder_that_vanishes_is_said_and_survived(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    said: list[str] = []
    supervisor = Supervisor(folder, said.append, QUICK)
    await supervisor.start([script(folder, SLEEP, name="a")])
    folder.run.rename(tmp_path / "elsewhere")
    await supervisor.stop(supervisor.processes.values())
    assert "can't be written" in said[-1]


async def test_killing_ends_all_at_once(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    async with supervising(folder) as supervisor:
        await supervisor.start([script(folder, SLEEP, name=name) for name in "ab"])
        supervisor.kill()
        await eventually(lambda: all(p.exit_code == -9 for p in supervisor.processes.values()))


async def test_the_first_signal_asks_and_the_second_kills() -> None:
    killed: list[int] = []
    with caught(lambda: killed.append(1)) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        assert not stop.at_once
        os.kill(os.getpid(), signal.SIGINT)
        await eventually(lambda: stop.at_once)
    assert killed == [1]


def errand(folder: StateFolder, text: str) -> Command:
    return Command(argv=["/bin/sh", "-c", text], env={}, log=folder.log_of("errand"))


async def test_an_errand_says_why_it_failed(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    await run_to_end("An errand", errand(folder, "echo old reasons"))
    with pytest.raises(ErrandError, match=r"^An errand failed: it said nothing$"):
        await run_to_end("An errand", errand(folder, "exit 1"))
    with pytest.raises(ErrandError, match=r"^An errand failed: no room$"):
        await run_to_end("An errand", errand(folder, "echo no room; exit 1"))


async def test_an_errand_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ErrandError, match=r"took longer than 0\.05 s"):
        await run_to_end("An errand", errand(folder_in(tmp_path), SLEEP), seconds=0.05)


async def test_an_errand_ends_with_who_sent_it(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    command = errand(folder, f"echo $$; {SLEEP}")
    sent = asyncio.create_task(run_to_end("An errand", command))
    await eventually(lambda: command.log.exists() and command.log.read_text() != "")
    pid = int(command.log.read_text())
    sent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sent
    assert not psutil.pid_exists(pid)
