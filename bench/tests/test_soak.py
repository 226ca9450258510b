"""Ten minutes of bookings through the edge, with a checkpoint of Postgres inside."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from bench import folders, platform, preflight
from bench.arrivals import offer
from bench.ledger import Ledger
from bench.outcomes import Outcomes
from bench.requests import Answered, BookingRequests
from bench.tokens import mint
from chassis.provisioning import administrate
from ops import edge
from ops.services import BOOKING

RATE = 1500
SECONDS = 600.0
P99_SECONDS = 0.1
CONNECTIONS = 128


@pytest.mark.nightly
def test_ten_minutes_of_bookings(record_property: Callable[[str, object], None]) -> None:
    preflight.require_files()
    with (
        folders.temporary_folder() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        outcomes = runner.run(soak(folder / "platform", rate=RATE, seconds=SECONDS))
    for name in ("p50", "p99", "p100"):
        record_property(name, outcomes.percentile(float(name[1:])))
    assert outcomes.percentile(99) < P99_SECONDS


async def soak(root: Path, *, rate: float, seconds: float) -> Outcomes[Answered]:
    """What came of the load; AssertionError or WrongAnswer unless all of it was booked, once."""
    async with platform.running(root) as up:
        requests = BookingRequests(tokens=await mint(up.layout))
        superuser = up.server.superuser_url()
        async with Ledger.of(superuser, BOOKING.name) as ledger:
            outcomes, _ = await asyncio.gather(
                offer(
                    port=up.layout.ports[edge.NAME],
                    rate=rate,
                    seconds=seconds,
                    render=requests.render,
                    check=requests.read,
                    connections=CONNECTIONS,
                ),
                checkpoint(superuser, after=seconds / 2),
            )
            assert outcomes.troubles == {}
            came = await ledger.settle(list(outcomes.acknowledged.values()), sent=outcomes.due)
            assert set(came) == {outcomes.due}
        processes = await up.processes()
        assert [row["restarts"] for row in processes.values()] == [0] * len(processes)
    return outcomes


async def checkpoint(superuser: str, *, after: float) -> None:
    """One checkpoint, asked for in the middle of the load; it is done at the end."""
    await asyncio.sleep(after)
    async with administrate(superuser) as server:
        before = await checkpoints(server)
        await server.exec_driver_sql("CHECKPOINT")
        assert await checkpoints(server) > before


async def checkpoints(server: AsyncConnection) -> int:
    found = await server.exec_driver_sql("SELECT num_done FROM pg_stat_checkpointer")
    return cast(int, found.scalar_one())
