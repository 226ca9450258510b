"""What takes too long for every change: other users, old databases, kills at any moment."""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from chassis.provisioning import administrate
from ops import database, stale
from ops.backup import started
from ops.state import StateFolder

from .driver import Driver
from .support import eventually
from .test_platform import TRANSPORT, book, it_stops_and_leaves_nothing, listed

pytestmark = pytest.mark.nightly

STORM_SECONDS = 40.0
TARGETS = (
    "booking-blue-1",
    "booking-blue-worker",
    "config-blue-1",
    "auth-blue-1",
    "edge",
    "postgres",
)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    """A platform that was never started."""
    found = Driver(tmp_path / ".ubertruck", tmp_path / "up.txt")
    yield found
    found.close()


def test_an_ordinary_user_runs_it_too(driver: Driver) -> None:
    if os.geteuid() == 0:
        # Files of ours, and no power: what an ordinary user is to the kernel.
        driver.prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        if subprocess.call([*driver.prefix, "true"]) != 0:  # noqa: S603 - of this line
            pytest.skip("This system refuses user namespaces.")
    driver.up()
    book(driver, str(uuid4()))
    it_stops_and_leaves_nothing(driver)


async def test_a_database_that_left_this_code_behind_ends_it_with_a_sentence(
    driver: Driver,
) -> None:
    await asyncio.to_thread(driver.up)
    driver.end(signal.SIGINT)
    with started(database.server_of(StateFolder(driver.state), None)) as server:
        async with administrate(server.superuser_url(), database="booking") as inside:
            await inside.execute(text("UPDATE schema_revision SET current = 99, minimum_code = 99"))
    process = driver.start()
    assert await asyncio.to_thread(process.wait, 120) == 1
    last = driver.printed.splitlines()[-1]
    assert last.startswith("ubertruck: booking-")
    assert "The database serves code of revision 99 and newer" in last
    assert "Traceback" not in driver.printed
    assert driver.processes() == []


async def everything_is_gone(folder: StateFolder) -> None:
    await eventually(lambda: not database.server_of(folder, None).is_running)
    await eventually(lambda: stale.end_leftovers(folder) == [])


async def test_interrupted_at_any_moment_it_leaves_nothing_and_starts_again(
    driver: Driver,
) -> None:
    for seconds in (0.2, 0.6, 1.2, 2.5, 5.0):
        process = driver.start()
        await asyncio.sleep(seconds)
        process.send_signal(random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)))
        await asyncio.to_thread(process.wait, 60)
        await everything_is_gone(StateFolder(driver.state))
    await asyncio.to_thread(driver.up)
    book(driver, str(uuid4()))


async def test_bookings_survive_a_storm_of_kills(driver: Driver) -> None:
    await asyncio.to_thread(driver.up)
    shuffled = random.Random(4711)
    acknowledged: set[str] = set()
    over = asyncio.Event()

    async def ship() -> None:
        while not over.is_set():
            key = str(uuid4())
            while (booking := await asyncio.to_thread(try_to_book, driver, key)) is None:
                await asyncio.sleep(0.1)
            acknowledged.add(booking)

    async def kill() -> None:
        until = asyncio.get_running_loop().time() + STORM_SECONDS
        while asyncio.get_running_loop().time() < until:
            pid = (await asyncio.to_thread(driver.status))[shuffled.choice(TARGETS)]["pid"]
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(shuffled.uniform(0.2, 2))
        over.set()

    await asyncio.gather(ship(), ship(), kill())
    assert acknowledged
    assert acknowledged == await asyncio.to_thread(listed, driver)
    verdict = await asyncio.to_thread(driver.do, "audit", "verify")
    assert verdict.count(": whole; ") == 3


def try_to_book(driver: Driver, key: str) -> str | None:
    """One attempt, to be repeated with the same key until it is answered."""
    try:
        answer = driver.request(
            "POST", "/v1/booking", json=TRANSPORT, headers={"idempotency-key": key}
        )
    except httpx.TransportError:
        return None
    return str(answer.json()["booking_id"]) if answer.status_code == 200 else None
