"""Being asked to stop: by Ctrl-C, by SIGTERM, by a terminal that goes away."""

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Set when it is time to stop; `at_once` when somebody asked a second time."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._asked = asyncio.Event()
        self.at_once = False

    def ask(self) -> None:
        """Ask to stop; asking twice kills."""
        if self._asked.is_set():
            self.at_once = True
            self._kill()
        self._asked.set()

    async def wait(self) -> None:
        """Return once somebody asked."""
        await self._asked.wait()


@contextmanager
def caught(kill: Callable[[], None]) -> Generator[Stop]:
    """Turn signals into a `Stop` while the body runs; `kill` is for the second one."""
    stop = Stop(kill)
    loop = asyncio.get_running_loop()
    for number in ASKED:
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    finally:
        for number in ASKED:
            loop.remove_signal_handler(number)
