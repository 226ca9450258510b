"""The open-loop generator against real servers that answer well, badly or not at all."""

import asyncio
import gc
import socket
from array import array
from typing import Any

import pytest
import uvloop

from bench.arrivals import offer
from bench.connections import clock
from bench.outcomes import Outcomes

from .servers import answer, echo, request, serving


def number(sent: int, body: bytes) -> int:
    """A check: the echoed number, which must be that of the request."""
    if int(body) != sent:
        raise ValueError("another request's answer")
    return sent


async def offered(port: int, **changes: Any) -> Outcomes[int]:
    load: dict[str, Any] = {"rate": 500, "seconds": 0.1, "connections": 8, "render": request}
    return await offer(port=port, check=number, **{**load, **changes})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_every_request_is_acknowledged_once() -> None:
    async with serving(echo) as port:
        outcomes = await offered(port)
    assert outcomes.acknowledged == {sent: sent for sent in range(50)}
    assert outcomes.troubles == {}
    assert outcomes.due == len(outcomes.latencies) == 50
    assert outcomes.seconds >= 0.098
    assert 0 < outcomes.rate <= 510
    assert 0 < outcomes.percentile(50) <= outcomes.percentile(100) < outcomes.seconds
    assert 0 <= outcomes.lateness < outcomes.seconds


async def test_connections_are_kept() -> None:
    peers: set[object] = set()

    async def note(sent: int, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        await echo(sent, writer)

    async with serving(note) as port:
        await offered(port, connections=3)
    assert len(peers) == 3


def test_under_uvloop_too() -> None:
    async def run() -> Outcomes[int]:
        async with serving(echo) as port:
            return await offered(port)

    assert len(uvloop.run(run()).acknowledged) == 50


async def test_no_sooner_than_due() -> None:
    sent_at: list[float] = []

    def note(sent: int) -> bytes:
        sent_at.append(clock())
        return request(sent)

    async with serving(echo) as port:
        await offered(port, rate=100, render=note)
    assert len(sent_at) == 10
    assert all(at - sent_at[0] >= sent / 100 - 0.001 for sent, at in enumerate(sent_at))


async def test_latency_counts_from_the_due_moment() -> None:
    async def stall_once(sent: int, writer: asyncio.StreamWriter) -> None:
        if sent == 0:
            await asyncio.sleep(0.3)
        await echo(sent, writer)

    async with serving(stall_once) as port:
        outcomes = await offered(port, connections=1, rate=100, seconds=0.2)
    # All 20 wait for the one connection: a closed loop would have seen one slow answer.
    assert outcomes.troubles == {}
    assert outcomes.percentile(100) >= 0.3
    assert outcomes.percentile(1) >= 0.3 - 19 / 100
    assert outcomes.seconds >= 0.3


async def test_what_finds_no_connection_in_time_is_unsent() -> None:
    async def stall(sent: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await echo(sent, writer)

    async with serving(stall) as port:
        outcomes = await offered(port, connections=2, patience=0.05)
    assert outcomes.acknowledged.keys() == set(range(50)) - set(outcomes.unsent)
    assert outcomes.acknowledged.keys() <= {0, 1}
    assert outcomes.troubles == {"unsent": 50 - len(outcomes.acknowledged)}


async def test_an_answer_that_doesnt_come() -> None:
    async def keep_silent(sent: int, writer: asyncio.StreamWriter) -> None:
        if sent % 5:
            await echo(sent, writer)

    async with serving(keep_silent) as port:
        outcomes = await offered(port, seconds=0.02, timeout=0.5)
    assert outcomes.troubles == {"failed: no answer in time": 2}
    assert len(outcomes.acknowledged) == 8


async def test_a_server_that_hangs_up_without_an_answer() -> None:
    async def hang_up(sent: int, writer: asyncio.StreamWriter) -> None:
        if sent % 2:
            writer.close()
        else:
            await echo(sent, writer)

    async with serving(hang_up) as port:
        outcomes = await offered(port)
    assert outcomes.troubles == {"failed: closed without an answer": 25}
    assert set(outcomes.acknowledged) == set(range(0, 50, 2))


async def test_a_server_that_hangs_up_after_each_answer() -> None:
    async def once(sent: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"%d" % sent, extra="connection: close\r\n"))

    async with serving(once) as port:
        outcomes = await offered(port, connections=2)
    assert len(outcomes.acknowledged) == 50


async def test_refusals_are_told_by_status() -> None:
    async def refuse(sent: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", status=("503 Full" if sent % 10 else "409 No")))

    async with serving(refuse) as port:
        outcomes = await offered(port)
    assert outcomes.troubles == {"refused: 503": 45, "refused: 409": 5}
    assert outcomes.rate == 0
    with pytest.raises(ValueError, match="Nothing was acknowledged"):
        outcomes.percentile(99)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (answer(b"0123456789")[:-5], "closed within the answer"),
        (answer(b"")[:10], "closed within the answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n1", "closed within the answer"),
        (b"220 mail.test ESMTP\r\n", "not HTTP"),
        (answer(b"1") + answer(b"1"), "two answers"),
    ],
)
async def test_half_an_answer_is_none(sent: bytes, reason: str) -> None:
    async def break_off(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.close()

    async with serving(break_off) as port:
        outcomes = await offered(port, seconds=0.02)
    assert outcomes.troubles == {f"failed: {reason}": 10}


async def test_an_answer_in_pieces() -> None:
    async def dribble(sent: int, writer: asyncio.StreamWriter) -> None:
        body = b"%d" % sent
        head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        for piece in (head, *(b"1\r\n%c\r\n" % digit for digit in body), b"0\r\n\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.002)

    async with serving(dribble) as port:
        outcomes = await offered(port)
    assert len(outcomes.acknowledged) == 50


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    async def chatter(sent: int, writer: asyncio.StreamWriter) -> None:
        await echo(sent, writer)
        await asyncio.sleep(0.01)
        await echo(sent, writer)

    async with serving(chatter) as port:
        outcomes = await offered(port, rate=20, seconds=0.3, connections=1)
    assert len(outcomes.acknowledged) == 6


async def test_a_wrong_answer_is_neither_acknowledged_nor_lost() -> None:
    async def lie(sent: int, writer: asyncio.StreamWriter) -> None:
        await echo(sent if sent != 7 else 8, writer)

    async with serving(lie) as port:
        outcomes = await offered(port)
    assert outcomes.wrong == {7: "ValueError: another request's answer"}
    assert len(outcomes.acknowledged) == 49


async def test_a_server_that_is_away() -> None:
    outcomes = await offered(free_port(), patience=0.1)
    assert outcomes.troubles == {"unsent": 50}


async def test_a_server_that_comes_back() -> None:
    port = free_port()
    load = asyncio.create_task(offered(port, patience=5))
    await asyncio.sleep(0.05)
    async with serving(echo, port=port):
        outcomes = await load
    assert len(outcomes.acknowledged) == 50


async def test_nonsense_is_said_at_once() -> None:
    def stumble(sent: int) -> bytes:
        return request(1 // (sent - 3))

    async with serving(echo) as port:
        with pytest.raises(ValueError, match="no request is due"):
            await offered(port, seconds=0)
        with pytest.raises(ZeroDivisionError):
            await offered(port, render=stumble)


async def test_it_can_be_stopped_and_still_tells_all() -> None:
    stop = asyncio.Event()

    async def stop_at_ten(sent: int, writer: asyncio.StreamWriter) -> None:
        if sent == 10:
            stop.set()
        await echo(sent, writer)

    async with serving(stop_at_ten) as port:
        outcomes = await offered(port, seconds=60, stop=stop)
    assert 11 <= len(outcomes.acknowledged) == outcomes.due < 30_000
    assert outcomes.troubles == {}


async def test_it_can_be_cancelled_and_leaves_nothing() -> None:
    async def keep_silent(_sent: int, _writer: asyncio.StreamWriter) -> None:
        """No answer."""

    async with serving(keep_silent) as port:
        before = asyncio.all_tasks()
        load = asyncio.create_task(offered(port, seconds=60))
        await asyncio.sleep(0.05)
        assert not gc.isenabled()
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        assert gc.isenabled()
        assert {task for task in asyncio.all_tasks() - before if "keep" in repr(task)} == set()


def test_percentiles_are_observed_values() -> None:
    outcomes = Outcomes[None](latencies=array("d", [0.3, 0.1, 0.2, 0.4]))
    found = [outcomes.percentile(percent) for percent in (0, 25, 50, 51, 75, 99, 100)]
    assert found == [0.1, 0.1, 0.2, 0.3, 0.3, 0.4, 0.4]
