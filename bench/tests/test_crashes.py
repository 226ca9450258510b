"""What was acknowledged is booked, and booked once, whatever ends in the middle of full load."""

import asyncio
import random
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chassis.embedded import EmbeddedPostgres
from chassis.testing.issuer import Issuer

from .alone import SERVICE, Booking, booking, make_database, tokens_of
from .customers import Books, Customers
from .postgres import held_commits

pytestmark = pytest.mark.untraced

Pair = tuple[Booking, Booking]

ACKNOWLEDGED_FIRST = 30
# No room, no database, or a key that another request is about: try again later.
PASSING = {503, 409}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def server(tmp_path: Path, pristine_cluster: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres that keeps what it commits, on a disk."""
    data = Path(shutil.copytree(pristine_cluster, tmp_path / "data"))
    server = EmbeddedPostgres(data, durable=True, auth="trust")
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture
async def database_url(server: EmbeddedPostgres) -> str:
    return await make_database(server)


@pytest.fixture
def customers(issuer: Issuer) -> Customers:
    return Customers(tokens_of(issuer))


@pytest.fixture
async def single(tmp_path: Path, database_url: str, issuer: Issuer) -> AsyncGenerator[Booking]:
    async with booking(tmp_path / "one", database_url, issuer) as one:
        yield one


@pytest.fixture
async def pair(tmp_path: Path, database_url: str, issuer: Issuer) -> AsyncGenerator[Pair]:
    """Two processes over one database."""
    async with AsyncExitStack() as stack:
        starting = (booking(tmp_path / name, database_url, issuer) for name in ("one", "two"))
        one, two = await asyncio.gather(*map(stack.enter_async_context, starting))
        yield one, two


class Load:
    """A flood that goes on until it is stopped."""

    def __init__(self, customers: Customers, port: int) -> None:
        self._left = ACKNOWLEDGED_FIRST
        self._flowing = asyncio.Event()
        self._stop = asyncio.Event()
        flood = customers.flood(port, stop=self._stop, answered=self._count)
        self._task = asyncio.create_task(flood)

    async def at_some_moment(self) -> None:
        """Return in the middle of it."""
        waiting = asyncio.create_task(self._flowing.wait())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._task
            pytest.fail("The load ended before anything else.")
        await asyncio.sleep(random.uniform(0, 0.2))

    async def end(self) -> None:
        """Stop it and wait for every answer."""
        self._stop.set()
        await self._task

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self._flowing.set()


async def books(server: EmbeddedPostgres) -> Books:
    return await Books.read(server.superuser_url(), SERVICE)


async def kill_booking(customers: Customers, server: EmbeddedPostgres, pair: Pair) -> None:
    """At some moment; the other process is asked at once what became of what was under way."""
    killed, other = pair
    before = set(customers.answers)
    load = Load(customers, killed.port)
    await load.at_some_moment()
    await killed.kill()
    await load.end()
    assert customers.doubtful, "nothing was under way"
    customers.agree_with(await books(server))
    await customers.repeat(other.port, customers.doubtful)
    customers.equal(await books(server))
    await start_again(customers, server, killed, before)


async def kill_in_a_commit(customers: Customers, server: EmbeddedPostgres, pair: Pair) -> None:
    """What is sent again meets the very transaction that nobody waits for any more."""
    killed, other = pair
    before = set(customers.answers)
    load = Load(customers, killed.port)
    await load.at_some_moment()
    async with held_commits(server) as postgres:
        await postgres.until("wait_event = 'SyncRep'")
        await killed.kill()
        await load.end()
        moment = await postgres.now()
        repeating = asyncio.create_task(customers.repeat(other.port, set(customers.doubtful)))
        await postgres.until("query_start > $1", moment)
    await repeating
    customers.equal(await books(server))
    await start_again(customers, server, killed, before)


async def start_again(
    customers: Customers, server: EmbeddedPostgres, killed: Booking, before: set[int]
) -> None:
    """It gives the same answers to all that was booked since."""
    await killed.start()
    await customers.repeat(killed.port, customers.answers.keys() - before)
    customers.equal(await books(server))


async def stop_postgres(customers: Customers, server: EmbeddedPostgres, service: Booking) -> None:
    """Postgres ends as by a power cut, and comes back; booking stays."""
    before = set(customers.answers)
    load = Load(customers, service.port)
    await load.at_some_moment()
    await asyncio.to_thread(server.stop, "immediate")
    await asyncio.to_thread(server.start)
    await load.end()
    customers.agree_with(await books(server))
    await service.await_ready()
    await customers.repeat(service.port, customers.doubtful | (customers.answers.keys() - before))
    customers.equal(await books(server))


@pytest.mark.long
async def test_killed_in_full_load(
    pair: Pair, server: EmbeddedPostgres, customers: Customers
) -> None:
    await kill_in_a_commit(customers, server, pair)
    for _ in range(2):
        await kill_booking(customers, server, pair)
    assert customers.refusals.keys() <= PASSING


@pytest.mark.long
async def test_postgres_ends_in_full_load(
    single: Booking, server: EmbeddedPostgres, customers: Customers
) -> None:
    await stop_postgres(customers, server, single)
    assert customers.refusals.keys() <= PASSING


@pytest.mark.nightly
async def test_killed_in_full_load_twenty_times(
    pair: Pair, server: EmbeddedPostgres, customers: Customers
) -> None:
    for number in range(20):
        kill = kill_booking if number % 4 else kill_in_a_commit
        await kill(customers, server, pair)
    assert customers.refusals.keys() <= PASSING


@pytest.mark.nightly
async def test_postgres_ends_in_full_load_ten_times(
    single: Booking, server: EmbeddedPostgres, customers: Customers
) -> None:
    for _ in range(10):
        await stop_postgres(customers, server, single)
    assert customers.refusals.keys() <= PASSING
