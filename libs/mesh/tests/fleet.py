"""Processes behind a data plane, many in one thread, and quick enough to be asked 20 000 times."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import AsyncExitStack, contextmanager
from functools import partial

Answer = tuple[int, bytes]
FINE: Answer = (200, b"fine")
Behaviour = Callable[[str, str], Awaitable[Answer]]


async def fine(method: str, path: str) -> Answer:
    return FINE


def status(code: int) -> Behaviour:
    async def answer(method: str, path: str) -> Answer:
        return code, b"as told"

    return answer


def slow(seconds: float) -> Behaviour:
    async def answer(method: str, path: str) -> Answer:
        await asyncio.sleep(seconds)
        return 200, b"at last"

    return answer


def until(released: threading.Event) -> Behaviour:
    async def answer(method: str, path: str) -> Answer:
        while not released.is_set():
            await asyncio.sleep(0.005)
        return 200, b"at last"

    return answer


async def hangs_up(method: str, path: str) -> Answer:
    raise ConnectionResetError


class Process:
    """One that counts what reaches it, by method and path, and answers as it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.seen: Counter[tuple[str, str]] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.behaviour: Behaviour = fine

    def forget(self) -> None:
        self.seen.clear()
        self.most_at_once = 0
        self.behaviour = fine

    async def answer(self, method: str, path: str) -> Answer:
        """What it is told to, while it counts."""
        self.seen[method, path] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.behaviour(method, path)
        finally:
            self.at_once -= 1


class Connection(asyncio.Protocol):
    """HTTP/1.1 as Envoy speaks it to a process: one request at a time, without bodies."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._work is not None:
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        head, found, self._rest = (self._rest + data).partition(b"\r\n\r\n")
        if not found:
            self._rest = head
            return
        method, path, _ = head.decode().split(" ", 2)
        if self._process.behaviour is fine:
            self._process.seen[method, path] += 1
            self._write(*FINE)
        else:
            self._work = asyncio.ensure_future(self._answer(method, path))

    async def _answer(self, method: str, path: str) -> None:
        assert self._transport is not None
        try:
            code, body = await self._process.answer(method, path)
        except ConnectionResetError:
            self._transport.abort()
            return
        self._write(code, body)

    def _write(self, code: int, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 %d Told\r\nx-served-by: %s\r\ncontent-length: %d\r\n\r\n%s"
            % (code, self._process.name.encode(), len(body), body)
        )


class Fleet:
    """Processes by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self.processes = {name: Process(name) for name in names}

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def forget(self) -> None:
        """Behave, and know of nothing."""
        for process in self.processes.values():
            process.forget()

    def total(self, method: str, path: str) -> int:
        """How often a request reached any process."""
        return sum(process.seen[method, path] for process in self.processes.values())


@contextmanager
def fleet(*names: str) -> Generator[Fleet]:
    """Processes that listen until the end of the block."""
    found = Fleet(names)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def run() -> None:
        async with AsyncExitStack() as servers:
            for process in found.processes.values():
                server = await servers.enter_async_context(
                    await loop.create_server(partial(Connection, process), "127.0.0.1", backlog=256)
                )
                process.port = server.sockets[0].getsockname()[1]
            started.set()
            await ended.wait()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(10)
        yield found
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
