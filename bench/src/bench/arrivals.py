"""Load at a fixed arrival rate, whatever the server does: an open loop.

A request's latency counts from the moment at which it was due. So a server can't hide that it
stalled by holding the generator up, and where the generator itself comes late, that counts against
the server, never for it.

    outcomes = await offer(port=8080, rate=1000, seconds=10, render=requests.__getitem__, check=...)
    outcomes.percentile(99), outcomes.rate, outcomes.troubles

It shares the machine with what it measures: run it under uvloop. There a request costs it some 60
us of CPU at 2000 a second and 90 at 1000, nearly all of it for being woken. Timers count
milliseconds, so about one of each latency is the generator's own.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Generic, TypeVar

from bench.connections import Connection, Place, clock
from bench.outcomes import Outcomes

T = TypeVar("T")
Render = Callable[[int], bytes]
Check = Callable[[int, bytes], T]

HOST = "127.0.0.1"
# Shorter pauses would be none to uvloop, whose timers count whole milliseconds.
TICK_SECONDS = 0.001
SWEEP_SECONDS = 0.05


async def offer(
    *,
    port: int,
    rate: float,
    seconds: float,
    render: Render,
    check: Check[T],
    host: str = HOST,
    connections: int = 64,
    patience: float = 1.0,
    timeout: float = 10.0,
    stop: asyncio.Event | None = None,
) -> Outcomes[T]:
    """Send `rate` requests a second for so many `seconds`, then wait for what is in flight.

    `render(number)` gives the whole request as bytes, numbers counting from 0; it is asked when
    the request is sent. `check(number, body)` gives what to keep of an answer of 2xx, and raises
    whatever it likes when the answer is wrong. Nothing is sent twice.

    A due request waits at most `patience` seconds for one of the `connections` to be free, and at
    most `timeout` seconds for its answer. Connections that break are opened again, and a server
    that is away is asked for until the end. The clock starts when each connection was tried once.
    """
    schedule = _Schedule(render, check, rate=rate, seconds=seconds, patience=patience)
    places = [Place(schedule, host, port, timeout=timeout) for _ in range(connections)]
    tasks = [asyncio.create_task(place.keep()) for place in places]
    try:
        await asyncio.gather(*(place.tried.wait() for place in places))
        with _without_collections():
            schedule.begin()
            while not schedule.over.done():
                await asyncio.wait([schedule.over], timeout=SWEEP_SECONDS)
                if stop is not None and stop.is_set():
                    schedule.cut()
                for place in places:
                    place.break_off_late()
        return schedule.over.result()
    finally:
        schedule.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Schedule(Generic[T]):
    """Which request is due when, and what became of it."""

    def __init__(
        self, render: Render, check: Check[T], *, rate: float, seconds: float, patience: float
    ) -> None:
        self._render = render
        self._check = check
        self._interval = 1 / rate
        self._total = round(rate * seconds)
        self._patience = patience
        self._start = self._last = 0.0
        self._next = 0
        self._closed = 0
        self._waiting = deque[int]()
        self._free = deque[Connection]()
        self._outcomes = Outcomes[T]()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.over: asyncio.Future[Outcomes[T]] = self._loop.create_future()

    def begin(self) -> None:
        """Start the clock."""
        if not self._total:
            raise ValueError("In this time no request is due.")
        self._start = clock()
        self._tick()

    def cut(self) -> None:
        """Let nothing more become due."""
        self._total = self._next
        self._end_if_closed()

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._next = self._total
        self._waiting.clear()

    def on_free(self, connection: Connection) -> None:
        """From a connection."""
        self._free.append(connection)
        self._send()

    def on_answer(self, number: int, status: int, body: bytes) -> None:
        """From a connection."""
        self._last = clock()
        if 200 <= status < 300:
            self._acknowledge(number, body)
        else:
            self._outcomes.refused[number] = status
        self._close()

    def on_failure(self, number: int, reason: str) -> None:
        """From a connection."""
        self._outcomes.failed[number] = reason
        self._close()

    def _tick(self) -> None:
        """Notice what is due, and come back for what will be."""
        now = clock()
        late = now - self._due_at(self._next)
        if self._next < self._total:
            self._outcomes.lateness = max(self._outcomes.lateness, late)
        while self._next < self._total and self._due_at(self._next) <= now:
            self._waiting.append(self._next)
            self._next += 1
        self._send()
        if self._waiting:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        elif self._next < self._total:
            pause = max(TICK_SECONDS, self._due_at(self._next) - clock())
            self._timer = self._loop.call_later(pause, self._tick)

    def _send(self) -> None:
        latest = clock() - self._patience
        while self._waiting:
            if self._due_at(self._waiting[0]) < latest:
                self._outcomes.unsent.append(self._waiting.popleft())
                self._close()
            elif connection := self._take_free():
                self._send_next(connection)
            else:
                return

    def _send_next(self, connection: Connection) -> None:
        number = self._waiting.popleft()
        try:
            request = self._render(number)
        except Exception as error:  # the caller's fault, and so the caller's to see
            self.stop()
            self._end(error)
        else:
            connection.send(number, request)

    def _take_free(self) -> Connection | None:
        while self._free:
            connection = self._free.popleft()
            if connection.is_open:
                return connection
        return None

    def _acknowledge(self, number: int, body: bytes) -> None:
        try:
            self._outcomes.acknowledged[number] = self._check(number, body)
        except Exception as error:  # whatever a check says of a wrong answer
            self._outcomes.wrong[number] = f"{type(error).__name__}: {error}"
        else:
            self._outcomes.latencies.append(self._last - self._due_at(number))

    def _close(self) -> None:
        self._closed += 1
        self._end_if_closed()

    def _end_if_closed(self) -> None:
        if self._closed == self._total:
            self._outcomes.seconds = max(self._last - self._start, self._total * self._interval)
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self.over.done():
            return
        if error is None:
            self.over.set_result(self._outcomes)
        else:
            self.over.set_exception(error)

    def _due_at(self, number: int) -> float:
        return self._start + number * self._interval


@contextmanager
def _without_collections() -> Generator[None]:
    """A collection would stop the sending for longer than what is measured."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
