"""Calls through a data plane as a service makes them: to its egress, by the name of the callee."""

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

BY = re.compile(rb"\r\nx-served-by: (\S+)\r\n")


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def by(self) -> str:
        """The process that answered; empty when it was Envoy."""
        return self.headers.get("x-served-by", "")


@dataclass
class Caller:
    """Calls one service at one egress."""

    port: int
    host: str
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(
        default_factory=list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for _reader, writer in self.idle:
            writer.close()

    async def call(self, method: str = "GET", path: str = "/", **headers: str) -> Answered:
        """One request, on a connection that nobody else uses meanwhile."""
        reader, writer = await self._connection()
        writer.write(self.request(method, path, headers))
        answered = await read_answer(reader)
        self.idle.append((reader, writer))
        return answered

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.idle:
            return self.idle.pop()
        return await asyncio.open_connection("127.0.0.1", self.port)

    def request(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        length = "content-length: 0\r\n" if method != "GET" else ""
        return f"{method} {path} HTTP/1.1\r\nhost: {self.host}\r\n{more}{length}\r\n".encode()

    async def many(self, number: int, *, connections: int = 16, at_once: int = 10) -> Counter[str]:
        """Who answered how many of `number` GETs, sent as fast as they are answered."""
        request = self.request("GET", "/", {})

        async def some(count: int) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            answers = b""
            for start in range(0, count, at_once):
                writer.write(request * min(at_once, count - start))
                batch = b""
                while batch.count(b"\r\n\r\n") < min(at_once, count - start):
                    batch += await reader.read(65536)
                answers += batch
            writer.close()
            return answers

        answers = await asyncio.gather(*(some(number // connections) for _ in range(connections)))
        found = BY.findall(b"".join(answers))
        return Counter(name.decode() for name in found)

    async def steadily(self, rate: float, seconds: float) -> Counter[str]:
        """Who answered, of requests that come at a rate, whether or not the last is answered."""
        found: Counter[str] = Counter()

        async def one() -> None:
            try:
                answered = await self.call()
            except (ConnectionError, asyncio.IncompleteReadError):
                found["dropped"] += 1
                return
            found[answered.by if answered.status == 200 else str(answered.status)] += 1

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(began + number / rate - time.monotonic())
                group.create_task(one())
        return found


async def read_answer(reader: asyncio.StreamReader) -> Answered:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answered(int(head[0].split(" ")[1]), headers, body)
