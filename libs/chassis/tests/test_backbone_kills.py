"""Processes that die at any moment: nothing is lost, and nothing happens twice."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.consumer import with_next_versions
from chassis.db import Database
from chassis.events import CloudEvent
from chassis.postgres_bus import PostgresBus
from chassis.testing.databases import TestDatabase, TestServer, alembic_recipe

from .event_worker import HANDLERS, QUEUE
from .eventful import effects, fill_outbox, make_effects, thing_done, waiting

pytestmark = pytest.mark.untraced

WORKER = Path(__file__).with_name("event_worker.py")
BATCH = 500


@dataclass
class World:
    """A service's database, the bus, and its worker processes."""

    database: Database
    bus: PostgresBus
    urls: tuple[str, str]
    workers: list[asyncio.subprocess.Process]
    kind: str = "consume"

    async def start_one(self) -> None:
        self.workers.append(
            await asyncio.create_subprocess_exec(sys.executable, str(WORKER), self.kind, *self.urls)
        )

    async def kill_one(self) -> None:
        """SIGKILL to one of the workers."""
        victim = self.workers.pop(random.randrange(len(self.workers)))
        victim.kill()
        await victim.wait()

    async def publish(self, events: list[CloudEvent]) -> None:
        for start in range(0, len(events), BATCH):
            await self.bus.publish(events[start : start + BATCH])

    async def backlog(self) -> int:
        return (await self.bus.backlog(QUEUE)).waiting


@pytest.fixture
def bus_database(test_server: TestServer) -> Iterator[TestDatabase]:
    recipe = alembic_recipe("bus")
    with test_server.cloned(test_server.ensure_template(recipe), "bus") as cloned:
        yield cloned


@pytest.fixture
async def world(database: TestDatabase, bus_database: TestDatabase) -> AsyncIterator[World]:
    await make_effects(database.migrator_url)
    async with open_world(database.url, bus_database.url) as opened:
        yield opened


@asynccontextmanager
async def open_world(database_url: str, bus_url: str) -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        database = Database.connect(database_url, name="test")
        stack.push_async_callback(database.dispose)
        bus = await stack.enter_async_context(PostgresBus.connect(bus_url, name="test"))
        await bus.declare(QUEUE, with_next_versions(HANDLERS))
        world = World(database, bus, (database_url, bus_url), [])
        try:
            yield world
        finally:
            while world.workers:
                await world.kill_one()


async def until_below(count: Callable[[], Awaitable[int]], limit: int) -> None:
    """Return when `count` has fallen below `limit`: so somebody is at work."""
    async with asyncio.timeout(120):
        while await count() >= limit:
            await asyncio.sleep(0.02)


async def effects_happen_once(world: World, *, events: int, kills: int, pause: float) -> None:
    """Each event three times, shuffled; one of three consumers killed at every `pause`."""
    made = [thing_done(number) for number in range(events)]
    deliveries = made * 3
    random.Random(7).shuffle(deliveries)
    await world.publish(deliveries)
    for _ in range(3):
        await world.start_one()
    while left := await world.backlog():
        await until_below(world.backlog, left)
        await asyncio.sleep(pause)
        if kills:
            await world.kill_one()
            await world.start_one()
            kills -= 1
    assert kills <= 0
    found = await effects(world.database)
    assert Counter(found) == Counter(event.id for event in made)


@pytest.mark.long
async def test_effects_happen_once(world: World) -> None:
    await effects_happen_once(world, events=1_500, kills=3, pause=0.2)


@pytest.mark.nightly
async def test_twenty_thousand_effects_happen_once(world: World) -> None:
    await effects_happen_once(world, events=20_000, kills=-1, pause=3)


async def relays_lose_nothing(world: World, *, events: int, kills: int) -> None:
    async def left() -> int:
        return await waiting(world.database)

    world.kind = "relay"
    await fill_outbox(world.database, events, days=3)
    for _ in range(2):
        await world.start_one()
    for _ in range(kills):
        await until_below(left, await left())
        await asyncio.sleep(random.uniform(0, 0.1))
        await world.kill_one()
        await world.start_one()
    await until_below(left, 1)
    while world.workers:
        await world.kill_one()
    copies = Counter[str]()
    while deliveries := await world.bus.receive(QUEUE, limit=1000, wait=0, visibility=60):
        copies.update(str(CloudEvent.from_json(found.body).id) for found in deliveries)
        await world.bus.acknowledge(QUEUE, deliveries)
    async with world.database.begin() as session:
        sent = set(await session.scalars(text("SELECT id::text FROM outbox")))
    assert set(copies) == sent
    assert copies.total() - len(sent) <= kills * 100


async def test_a_killed_relay_loses_nothing(world: World) -> None:
    await relays_lose_nothing(world, events=4_000, kills=3)


@pytest.mark.nightly
async def test_relays_killed_many_times_lose_nothing(world: World) -> None:
    await relays_lose_nothing(world, events=60_000, kills=30)
