"""One child process: started in a session of its own, dying with its parent, awaited."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
# Loaded here, since nothing may be loaded between fork and exec.
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run, with the whole of its environment; the nicer it is, the more it stands back."""

    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    niceness: int = 0


class Child:
    """A running process and the group that it leads.

    `reap` takes its exit code from the kernel once it has ended, or None when that is unknown.
    """

    def __init__(self, pid: int, reap: Callable[[], int | None]) -> None:
        self.pid = pid
        self._reap = reap
        self._descriptor = os.pidfd_open(pid)
        self._ended = False
        self._exit_code: int | None = None

    async def wait(self) -> int | None:
        """Its exit code once it has ended, negative for a signal; to be awaited once at a time.

        Whatever it left behind in its group is killed then.
        """
        if not self._ended:
            await self._end()
            # Before the leader is reaped, so that the group's number can't be anybody else's.
            self.kill_group()
            self._ended = True
            os.close(self._descriptor)
            self._exit_code = self._reap()
        return self._exit_code

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._descriptor)

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to the process alone, unless it has ended."""
        if not self._ended:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def kill_group(self) -> None:
        """End the process and its group at once, unless it has ended."""
        if not self._ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


async def first_to_end(children: Sequence[Child], seconds: float) -> dict[Child, int | None]:
    """The exit codes of those that have ended as soon as one has, or after so many seconds."""
    waits = {child: asyncio.ensure_future(child.wait()) for child in children}
    try:
        await asyncio.wait(waits.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits.values():
            wait.cancel()
        await asyncio.wait(waits.values())
    return {child: wait.result() for child, wait in waits.items() if not wait.cancelled()}


def launcher(command: Command) -> Callable[[], Awaitable[Child]]:
    """What starts `command` at each call, with its output added to its log file.

    It raises OSError when the command can't be started.
    """

    async def launch() -> Child:
        return _spawn(command)

    return launch


def _spawn(command: Command) -> Child:
    with command.log.open("ab") as log:
        popen = subprocess.Popen(  # noqa: S603 -- the platform's own commands
            command.argv,
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_after_fork(os.getpid(), command.niceness),
        )
    return Child(popen.pid, popen.wait)


def _after_fork(parent: int, niceness: int) -> Callable[[], None]:
    def after_fork() -> None:
        os.nice(niceness)
        LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return after_fork
