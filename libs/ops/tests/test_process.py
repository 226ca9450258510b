"""One supervised process: ready, crashing, refusing, stopping."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.child import Command, launcher
from ops.process import Phase, Process, RestartPolicy, Spec, StartError, Watcher

from .scripts import IGNORES_TERM, QUICK, SLEEP, folder_in, script
from .support import eventually


@dataclass
class Heard:
    """What a process told its watcher."""

    said: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])

    def watcher(self) -> Watcher:
        return Watcher(say=self.said.append, changed=lambda: None, failed=self.failed.append)


@asynccontextmanager
async def kept(
    spec: Spec, heard: Heard | None = None, policy: RestartPolicy = QUICK
) -> AsyncGenerator[Process]:
    """`spec` as a process that is gone afterwards."""
    process = Process(spec, (heard or Heard()).watcher(), policy)
    try:
        yield process
    finally:
        process.kill()
        await process.stop()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def pids_in(log: Path) -> Callable[[], list[int]]:
    return lambda: [int(word) for word in log.read_text().split() if word.isdigit()]


async def test_it_comes_up_and_goes_down(tmp_path: Path) -> None:
    async with kept(script(folder_in(tmp_path), SLEEP)) as process:
        await process.come_up(5)
        assert process.phase is Phase.READY
        assert process.uptime > 0
        pid = process.pid
        assert pid is not None
        await process.stop()
        assert (process.phase, process.pid, process.exit_code) == (
            Phase.STOPPED,
            None,
            -signal.SIGTERM,
        )
        assert is_gone(pid)


async def test_stopping_twice_and_starting_twice_change_nothing(tmp_path: Path) -> None:
    async with kept(script(folder_in(tmp_path), SLEEP)) as process:
        await process.come_up(5)
        pid = process.pid
        await process.start()
        assert process.pid == pid
        await process.stop()
        await process.stop()
        assert process.phase is Phase.STOPPED


async def test_a_crashed_process_is_started_again_and_said_so(tmp_path: Path) -> None:
    heard = Heard()
    async with kept(script(folder_in(tmp_path), SLEEP), heard) as process:
        await process.come_up(5)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: process.restarts == 1 and process.phase is Phase.READY)
        assert process.pid not in (None, first)
        assert heard.said[0].startswith("child ended (signal SIGKILL); it is started again in 0.")


async def test_a_crash_loop_goes_on_with_the_delays_of_its_policy(tmp_path: Path) -> None:
    heard = Heard()
    async with kept(script(folder_in(tmp_path), "sleep 0.2; exit 3"), heard) as process:
        await process.come_up(5)
        await eventually(lambda: process.restarts >= 3)
        assert process.exit_code == 3
        assert all("exit code 3" in sentence for sentence in heard.said)


@pytest.mark.parametrize(("crashes", "exact"), [(1, 0.5), (2, 1), (4, 4), (7, 30), (1000, 30)])
def test_delays_double_up_to_a_limit(crashes: int, exact: float) -> None:
    delays = [RestartPolicy().delay(crashes) for _ in range(50)]
    assert all(exact * 0.75 <= delay <= exact * 1.25 for delay in delays)
    assert len(set(delays)) > 1


async def test_delays_start_anew_after_a_healthy_life(tmp_path: Path) -> None:
    heard = Heard()
    policy = RestartPolicy(first=0.01, most=100, healthy=0)
    async with kept(script(folder_in(tmp_path), "sleep 0.1"), heard, policy) as process:
        await process.come_up(5)
        await eventually(lambda: process.restarts >= 8)
        assert all(sentence.endswith("in 0.0 s") for sentence in heard.said)


async def test_one_that_never_came_up_is_not_started_again(tmp_path: Path) -> None:
    heard = Heard()
    spec = script(folder_in(tmp_path), "echo broken; exit 1", says="never")
    async with kept(spec, heard) as process:
        with pytest.raises(StartError, match=r"^child doesn't run \(exit code 1\): broken$"):
            await process.come_up(5)
        assert heard.failed == ["child"]
        assert process.restarts == 0


@pytest.mark.parametrize("code", [2, 78])
async def test_one_that_refuses_is_not_started_again(tmp_path: Path, code: int) -> None:
    heard = Heard()
    folder = folder_in(tmp_path)
    spec = script(folder, f"if test -e {tmp_path}/old; then echo no; exit {code}; fi; {SLEEP}")
    async with kept(spec, heard) as process:
        await process.come_up(5)
        (tmp_path / "old").touch()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        await eventually(lambda: process.phase is Phase.FAILED)
        assert heard.failed == ["child"]
        assert process.account == f"child doesn't run (exit code {code}): no"


async def test_one_that_stays_unready_is_given_up(tmp_path: Path) -> None:
    async with kept(script(folder_in(tmp_path), SLEEP, says="never")) as process:
        with pytest.raises(StartError, match=r"^child wasn't ready after 0\.1 s"):
            await process.come_up(0.1)


async def test_one_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    heard = Heard()
    spec = script(folder_in(tmp_path), IGNORES_TERM, says="ready", grace=0.1)
    async with kept(spec, heard) as process:
        await process.come_up(5)
        await process.stop()
        assert process.exit_code == -signal.SIGKILL
        assert heard.said == ["child didn't end in 0.1 s: killed"]


async def test_what_it_left_in_its_group_ends_with_it(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    spec = script(folder, f"({IGNORES_TERM}) & echo $!; wait", says="ready")
    async with kept(spec) as process:
        await process.come_up(5)
        (grandchild,) = pids_in(spec.log)()
        await process.stop()
        await eventually(lambda: is_gone(grandchild))


async def test_stopping_ends_the_wait_for_the_next_start(tmp_path: Path) -> None:
    policy = RestartPolicy(first=1000, most=1000)
    async with kept(script(folder_in(tmp_path), SLEEP), policy=policy) as process:
        await process.come_up(5)
        process.kill()
        await eventually(lambda: process.phase is Phase.WAITING)
        with pytest.raises(StartError, match="signal SIGKILL"):
            await process.wait_ready(5)
        await process.stop()
        assert process.phase is Phase.STOPPED
        assert process.uptime == 0


async def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    log = folder.log_of("child")
    missing = launcher(Command(argv=["/nowhere/program"], env={}, log=log))
    spec = Spec(name="child", launch=missing, log=log, ready=asyncio.Event().wait)
    async with kept(spec) as process:
        with pytest.raises(StartError, match=r"^child can't be started: /nowhere/program: No such"):
            await process.come_up(5)


async def test_a_program_that_goes_missing_is_tried_again(tmp_path: Path) -> None:
    heard = Heard()
    folder = folder_in(tmp_path)
    log = folder.log_of("child")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{SLEEP}\n")
    program.chmod(0o700)

    async def ready() -> bool:
        return True

    launch = launcher(Command(argv=[str(program)], env={}, log=log))
    spec = Spec(name="child", launch=launch, log=log, ready=ready)
    async with kept(spec, heard) as process:
        await process.come_up(5)
        program.rename(tmp_path / "elsewhere")
        process.kill()
        await eventually(lambda: any("can't be started" in said for said in heard.said))
        (tmp_path / "elsewhere").rename(program)
        await eventually(lambda: process.phase is Phase.READY)
