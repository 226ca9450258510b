"""One process that is kept running: probed until it is ready, started again when it crashes."""

import asyncio
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ops.child import Child, first_to_end
from ops.errors import OpsError
from ops.logfiles import last_words, size, tail

# Wrong usage, and EX_CONFIG of sysexits.h: starting again can't help.
REFUSALS = frozenset({2, 78})
FASTEST_PROBE = 0.05
SLOWEST_PROBE = 0.5


class Phase(StrEnum):
    """Where a process is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"  # crashed, to be started again after a delay
    FAILED = "failed"  # never came up, or refuses to run like this: not started again


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a process is.

    `launch` starts it (OSError or OpsError when that fails), `ready` asks whether it is of use yet,
    `port` is where it serves, `grace` the seconds that it may take to end. One that `cleans_up`
    finds what an earlier run of its own left behind; others are ended by us. `succeed` starts one
    that takes over and ends the one before; it is given its number since the latest launch, from 1.
    """

    name: str
    launch: Callable[[], Awaitable[Child]]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    port: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    cleans_up: bool = False
    succeed: Callable[[int], Awaitable[Child]] | None = None


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """Seconds: the first delay, which doubles to `most` and starts anew after `healthy` of life."""

    first: float = 0.5
    most: float = 30.0
    healthy: float = 60.0

    def delay(self, crashes: int) -> float:
        """The delay after that many crashes in a row, spread by a quarter to both sides."""
        exact = min(self.most, self.first * 2.0 ** min(crashes - 1, 16))
        return exact * secrets.SystemRandom().uniform(0.75, 1.25)


class StartError(OpsError):
    """A process ended, or stayed unready, instead of coming up."""


@dataclass(kw_only=True)
class Watcher:
    """Who wants to know: `say` takes a sentence, `changed` each new pid or end, `failed` a name."""

    say: Callable[[str], None]
    changed: Callable[[], None]
    failed: Callable[[str], None]


@dataclass
class Process:
    """A supervised process. `restarts` counts crashes that were made good."""

    spec: Spec
    watcher: Watcher
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    phase: Phase = Phase.STOPPED
    restarts: int = 0
    exit_code: int | None = None
    started_at: float = 0.0  # of the monotonic clock
    _was_ready: bool = False
    _log_start: int = 0
    _child: Child | None = None
    _successor: Child | None = None
    _generation: int = 0
    _handover: asyncio.Task[None] | None = None
    _keeper: asyncio.Task[None] | None = None
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def pid(self) -> int | None:
        """The running child's process id."""
        return None if self._child is None else self._child.pid

    @property
    def uptime(self) -> float:
        """Seconds since the running child was started."""
        return 0.0 if self._child is None else time.monotonic() - self.started_at

    async def start(self) -> None:
        """Start it and keep it running; nothing happens when it is kept already."""
        if self._keeper is None or self._keeper.done():
            await self._launch()
            self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def come_up(self, seconds: float) -> None:
        """Start it and return once it is ready; StartError as by `wait_ready`."""
        await self.start()
        await self.wait_ready(seconds)

    async def wait_ready(self, seconds: float) -> None:
        """Return once it is ready; StartError when it ends first, or takes longer."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self.phase is not Phase.STARTING)
        except TimeoutError as error:
            raise StartError(f"{self.spec.name} wasn't ready after {seconds:g} s.") from error
        if self.phase is not Phase.READY:
            raise StartError(self.account)

    @property
    def ending(self) -> str:
        """How it ended the last time."""
        code = self.exit_code
        if code is None:
            return "exit code unknown"
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    @property
    def account(self) -> str:
        """Why it doesn't run, in a sentence that ends with its last words."""
        words = last_words(self.log_lines(20))
        return f"{self.spec.name} doesn't run ({self.ending}): {words}"

    def log_lines(self, lines: int) -> list[str]:
        """What it printed since its latest start, at most so many lines."""
        return tail(self.spec.log, lines, since=self._log_start)

    async def stop(self) -> None:
        """End it: ask, wait for its grace, then kill what is left of its group."""
        if self._handover is not None:
            self._handover.cancel()
            await asyncio.wait([self._handover])
        await self._stop_keeping()
        if self._child is not None:
            await self._end(self._child)
        await self._become(Phase.STOPPED)

    async def give_way(self, seconds: float) -> None:
        """Let a successor take over, and return once it serves; nobody is refused meanwhile.

        StartError when it doesn't; then the one that ran goes on.
        """
        succeed, old = self.spec.succeed, self._child
        if succeed is None or old is None or self.phase is not Phase.READY or self._handover:
            raise StartError(f"{self.spec.name} can't give way now.")
        coming = self._started(succeed(self._generation + 1))
        self._handover = asyncio.create_task(self._hand_over(old, coming, seconds))
        try:
            await asyncio.wait([self._handover])
            if self._handover.cancelled():
                raise StartError(f"{self.spec.name} was stopped.")
            self._handover.result()
        finally:
            self._handover.cancel()
            self._handover = None
        await self.wait_ready(seconds)

    async def _hand_over(self, old: Child, coming: Awaitable[Child], seconds: float) -> None:
        self._log_start = size(self.spec.log)
        self._successor = new = await coming
        await self._stop_keeping()
        ended: Mapping[Child, int | None] = {}
        try:
            ended = await first_to_end([old, new], seconds)
        finally:
            taken = old in ended and new not in ended
            if not taken:
                new.kill_group()
                await new.wait()
            self._replace(old, new if taken else None, ended)
        if not taken:
            words = last_words(self.log_lines(20))
            if old not in ended and not await self.spec.ready():
                # It gave away already what it listened on: started anew, it has that again.
                old.kill_group()
            raise StartError(f"The next {self.spec.name} didn't take over: {words}")

    def _replace(self, old: Child, new: Child | None, ended: Mapping[Child, int | None]) -> None:
        """After an attempt to hand over: look after whoever runs now."""
        self._successor = None
        if new is not None:
            self._generation += 1
            self.started_at = time.monotonic()
            self.phase = Phase.STARTING
        self._child = new or (None if old in ended else old)
        self.exit_code = ended.get(old, self.exit_code)
        self.watcher.changed()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def _stop_keeping(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    def kill(self) -> None:
        """End the child and its group at once."""
        for child in filter(None, (self._child, self._successor)):
            child.kill_group()

    async def _end(self, child: Child) -> None:
        child.signal(self.spec.stop_signal)
        try:
            self.exit_code = await asyncio.wait_for(child.wait(), self.spec.grace)
        except TimeoutError:
            self.watcher.say(f"{self.spec.name} didn't end in {self.spec.grace:g} s: killed")
            child.kill_group()
            self.exit_code = await child.wait()
        self._buried()

    async def _launch(self) -> None:
        self._log_start = size(self.spec.log)
        self._generation = 0
        self._child = await self._started(self.spec.launch())
        self.started_at = time.monotonic()
        self.phase = Phase.STARTING
        self.watcher.changed()

    async def _started(self, work: Awaitable[Child]) -> Child:
        try:
            return await work
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
            raise StartError(f"{self.spec.name} can't be started: {why}.") from error

    def _buried(self) -> None:
        self._child = None
        self.watcher.changed()

    async def _become(self, phase: Phase) -> None:
        async with self._news:
            self.phase = phase
            self._news.notify_all()

    async def _keep(self) -> None:
        crashes = 0
        while True:
            lived = await self._live()
            if self.exit_code in REFUSALS or not self._was_ready:
                await self._become(Phase.FAILED)
                self.watcher.failed(self.spec.name)
                return
            crashes = 1 if lived >= self.policy.healthy else crashes + 1
            await self._become(Phase.WAITING)
            await self._start_again(crashes)

    async def _live(self) -> float:
        if self._child is None:
            return 0.0
        probing = asyncio.create_task(self._probe(), name=f"probe {self.spec.name}")
        try:
            self.exit_code = await self._child.wait()
        finally:
            probing.cancel()
        lived = self.uptime
        self._buried()
        return lived

    async def _start_again(self, crashes: int) -> None:
        delay = self.policy.delay(crashes)
        self.watcher.say(
            f"{self.spec.name} ended ({self.ending}); it is started again in {delay:.1f} s"
        )
        await asyncio.sleep(delay)
        self.restarts += 1
        try:
            await self._launch()
        except OpsError as error:
            self.watcher.say(str(error))

    async def _probe(self) -> None:
        pause = FASTEST_PROBE
        while not await self.spec.ready():
            await asyncio.sleep(pause)
            pause = min(SLOWEST_PROBE, pause * 1.2)
        self._was_ready = True
        await self._become(Phase.READY)
