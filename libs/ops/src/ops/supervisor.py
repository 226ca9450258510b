"""All processes of a platform: started together, stopped in order, watched meanwhile."""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ops import memory, stale
from ops.errors import OpsError
from ops.process import Process, RestartPolicy, Spec, Watcher
from ops.state import StateFolder


@dataclass
class Supervisor:
    """Keeps processes running. `failure` is set once, when one of them can't run any more."""

    folder: StateFolder
    say: Callable[[str], None]
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    processes: dict[str, Process] = field(default_factory=dict[str, Process])
    failure: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def add(self, specs: Iterable[Spec]) -> list[Process]:
        """Take `specs` in, without starting them."""
        watcher = Watcher(say=self.say, changed=self._record, failed=self._failed)
        added = [Process(spec, watcher, self.policy) for spec in specs]
        self.processes.update({process.spec.name: process for process in added})
        return added

    async def start(self, specs: Iterable[Spec], *, seconds: float = 60.0) -> None:
        """Start `specs` side by side and return once each is ready; StartError when one isn't."""
        added = self.add(specs)
        try:
            async with asyncio.TaskGroup() as group:
                for process in added:
                    group.create_task(process.come_up(seconds))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def find(self, name: str) -> Process:
        """The process called `name`; OpsError when there is none."""
        try:
            return self.processes[name]
        except KeyError:
            names = ", ".join(sorted(self.processes))
            raise OpsError(f"There is no process {name}. There are: {names}.", code=2) from None

    async def stop(self, *waves: Iterable[Process]) -> None:
        """Stop the processes of each wave side by side, one wave after the other."""
        for wave in waves:
            await asyncio.gather(*(process.stop() for process in wave))

    def kill(self) -> None:
        """End every process at once."""
        for process in self.processes.values():
            process.kill()

    def memory(self) -> int:
        """Bytes (proportional set size) of all processes and of this one."""
        return memory.proportional_set_size(memory.family(os.getpid()))

    def _record(self) -> None:
        running = {
            name: process.pid for name, process in self.processes.items() if process.pid is not None
        }
        try:
            stale.record(self.folder, running)
        except OSError as error:
            self.say(f"{self.folder.processes_file} can't be written ({error.strerror})")

    def _failed(self, name: str) -> None:
        if not self.failure.done():
            self.failure.set_result(self.processes[name].account)
