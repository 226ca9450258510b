"""All processes of a platform: started together, stopped in order, watched meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ops import stale
from ops.errors import OpsError
from ops.process import Phase, Process, RestartPolicy, Spec, Watcher
from ops.state import StateFolder
from ops.tasks import together

PATIENCE = 60.0


@dataclass
class Supervisor:
    """Keeps processes running. `failure` is set once, when one of them can't run any more."""

    folder: StateFolder
    say: Callable[[str], None]
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    processes: dict[str, Process] = field(default_factory=dict[str, Process])
    closing: bool = False
    failure: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    _locks: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    def add(self, specs: Iterable[Spec], *, vital: bool = True) -> list[Process]:
        """Take `specs` in, without starting them. The failure of a vital one is the platform's."""
        failed = self._failed if vital else self._given_up
        watcher = Watcher(say=self.say, changed=self._record, failed=failed)
        added = [Process(spec, watcher, self.policy) for spec in specs]
        self.processes.update({process.spec.name: process for process in added})
        return added

    async def start(
        self, specs: Iterable[Spec], *, seconds: float = PATIENCE, vital: bool = True
    ) -> None:
        """Start `specs` side by side and return once each is ready; StartError when one isn't."""
        added = self.add(specs, vital=vital)
        await together(*(process.come_up(seconds) for process in added))

    async def remove(self, names: Iterable[str]) -> None:
        """Stop processes and forget them; unknown names are passed over."""
        known = [name for name in names if name in self.processes]
        await asyncio.gather(*(self.stop_one(name) for name in known))
        for name in known:
            self.processes.pop(name, None)

    async def start_one(self, name: str) -> None:
        """Start a process that was stopped, and return once it is ready."""
        async with self._lock_of(name):
            await self.find(name).come_up(PATIENCE)

    async def stop_one(self, name: str) -> None:
        """Stop a process until it is started again."""
        async with self._lock_of(name):
            await self.find(name).stop()

    async def restart_one(self, name: str) -> None:
        """Stop a process, start it again and return once it is ready.

        One that can have a successor gives way to it instead, and nobody is refused meanwhile.
        """
        async with self._lock_of(name):
            process = self.find(name)
            if process.spec.succeed is not None and process.phase is Phase.READY:
                await process.give_way(PATIENCE)
            else:
                await process.stop()
                await process.come_up(PATIENCE)

    def find(self, name: str) -> Process:
        """The process called `name`; OpsError when there is none."""
        try:
            return self.processes[name]
        except KeyError:
            names = ", ".join(sorted(self.processes))
            raise OpsError(f"There is no process {name}. There are: {names}.", code=2) from None

    async def stop(self, *waves: Iterable[Process]) -> None:
        """Stop the processes of each wave side by side, one wave after the other, for good."""
        self.closing = True
        for wave in waves:
            await asyncio.gather(*(process.stop() for process in wave))

    def kill(self) -> None:
        """End every process at once."""
        for process in self.processes.values():
            process.kill()

    def _lock_of(self, name: str) -> asyncio.Lock:
        if self.closing:
            raise OpsError("The platform is stopping.")
        return self._locks[name]

    def _record(self) -> None:
        running = {
            name: process.pid for name, process in self.processes.items() if process.pid is not None
        }
        try:
            stale.record(self.folder, running)
        except OSError as error:
            self.say(f"{self.folder.processes_file} can't be written ({error.strerror})")

    def _given_up(self, name: str) -> None:
        self.say(self.processes[name].account)

    def _failed(self, name: str) -> None:
        if not self.failure.done():
            self.failure.set_result(self.processes[name].account)
