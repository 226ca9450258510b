import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from bench import wrk
from bench.errors import BenchError, WrongAnswer
from bench.requests import Answered, BookingRequests, get
from bench.tokens import Token, shipper

from .servers import answer

TOKENS = [Token(shipper=shipper(number), text=f"token-{number}") for number in range(7)]
FINE: dict[str, Any] = {
    "sent": 104,
    "right": 100,
    "wrong": 0,
    "seconds": 2.0,
    "p50": 0.01,
    "p99": 0.02,
    "connect": 0,
    "read": 0,
    "write": 0,
    "timeout": 0,
    "complaint": "",
}
needs_wrk = pytest.mark.skipif(  # the tests may demand Python only; `make bench` refuses without
    shutil.which("wrk") is None, reason=wrk.MISSING
)


def output(**changes: Any) -> str:
    return f"Running 2s test\n  2 threads\nRESULT {json.dumps({**FINE, **changes})}\n"


def test_reads_what_wrk_says() -> None:
    booking_id = uuid4()
    load = wrk.read(output(), [f"{booking_id} 4200"])
    assert (load.sent, load.right, load.rate, load.p50, load.p99) == (104, 100, 50, 0.01, 0.02)
    assert load.answered == [Answered(booking_id=booking_id, paise=4200)]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"wrong": 3, "complaint": "503 {busy}"}, "3 answers were wrong, first: 503 {busy}"),
        ({"timeout": 1}, "'timeout': 1"),
        ({"connect": 2}, "'connect': 2"),
        ({"read": 2}, "'read': 2"),
        ({"right": 0}, "Nothing was answered"),
    ],
)
def test_a_single_fault_spoils_the_load(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(WrongAnswer, match=complaint):
        wrk.read(output(**changes), [])


def test_says_what_wrk_said_instead_of_a_result() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        wrk.read("unable to connect to 127.0.0.1:1 Connection refused\n", [])
    with pytest.raises(BenchError, match="it said nothing"):
        wrk.read("", [])


def test_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BenchError, match="apt-get install wrk"):
        wrk.require()


class Booker:
    """Answers bookings well, until told otherwise; knows what it was asked."""

    def __init__(self, reply: Callable[[bytes], bytes] | None = None) -> None:
        self.keys: list[str] = []
        self.ids: set[UUID] = set()
        self._reply = reply or self._booked

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1) for line in head.strip().splitlines()[1:])
                body = await reader.readexactly(int(fields.get("Content-Length", 0)))
                self.keys.append(fields.get("Idempotency-Key", ""))
                writer.write(self._reply(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    def _booked(self, body: bytes) -> bytes:
        booking_id = uuid4()
        self.ids.add(booking_id)
        price = {"amount": 4200, "currency": "INR"}
        document = {**json.loads(body), "price": price, "booking_id": str(booking_id)}
        return answer(json.dumps(document, separators=(",", ":")).encode())


@asynccontextmanager
async def listening(booker: Booker) -> AsyncGenerator[int]:
    talks: set[asyncio.Task[None]] = set()

    def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(booker.talk(reader, writer)))

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*talks)


@needs_wrk
async def test_books_and_keeps_what_was_booked() -> None:
    booker, requests = Booker(), BookingRequests(tokens=TOKENS)
    async with listening(booker) as port:
        load = await wrk.run(port, wrk.Plan.of_bookings(requests), seconds=1, connections=4)
    assert load.right == len(load.answered) > 0
    assert load.right <= len(booker.ids) <= load.sent <= load.right + 4
    assert {one.booking_id for one in load.answered} <= booker.ids
    assert {one.paise for one in load.answered} == {4200}
    assert len(set(booker.keys)) == len(booker.keys)
    assert set(booker.keys) <= {requests.key(number) for number in range(1, load.sent + 1)}


@needs_wrk
@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (answer(b'{"title":"busy"}', status="503 No"), '503 {"title":"busy"}'),
        (answer(b'{"booking_id":"no price"}'), "no price"),
        (answer(b"\xff\x00\n"), "200"),
        (answer(b'{"price":{"amount":1,"currency":"INR"}}'), "INR"),
    ],
)
async def test_refuses_what_is_no_booking(reply: bytes, complaint: str) -> None:
    plan = wrk.Plan.of_bookings(BookingRequests(tokens=TOKENS))
    async with listening(Booker(lambda _: reply)) as port:
        with pytest.raises(WrongAnswer, match=complaint):
            await wrk.run(port, plan, seconds=1, connections=2)


@needs_wrk
async def test_sends_whole_requests_as_they_are() -> None:
    booker = Booker(lambda _: answer(b'{"booking_id":"x"}'))
    async with listening(booker) as port:
        plan = wrk.Plan(heads=[get("/v1/booking/1", TOKENS[0])], expect=wrk.BOOKED)
        load = await wrk.run(port, plan, seconds=1, connections=2)
    assert load.right > 0
    assert load.answered == []
    assert set(booker.keys) == {""}


@needs_wrk
async def test_it_can_be_cancelled() -> None:
    async with listening(Booker()) as port:
        plan = wrk.Plan.of_bookings(BookingRequests(tokens=TOKENS))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await wrk.run(port, plan, seconds=60, connections=2)
