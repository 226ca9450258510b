"""Relay and consumer as a worker's jobs, from outbox to effect."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.engine import make_url

from chassis.backbone import event_jobs, open_backbone
from chassis.buses import BusNotConfigured
from chassis.db import Database, DatabaseUnavailable
from chassis.embedded import EmbeddedPostgres
from chassis.errors import Unavailable
from chassis.lease import Lease
from chassis.provisioning import provision, roles_of
from chassis.settings import ServiceSettings
from chassis.testing.databases import Recipe, TestDatabase, alembic_recipe
from chassis.worker import run_worker

from .event_worker import HANDLERS, QUEUE
from .eventful import effects, make_effects, send, waiting
from .fake_bus import FakeBus


def settings(**values: object) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {"database_url": "postgresql+asyncpg://nowhere/none", **values}
    )


@pytest.fixture
async def runtime(database: TestDatabase) -> AsyncIterator[Database]:
    await make_effects(database.migrator_url)
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


@asynccontextmanager
async def working(database: Database, bus: FakeBus, lease: Lease) -> AsyncGenerator[None]:
    """A worker while the body runs, and stopped as by SIGTERM then."""
    stop = asyncio.Event()
    jobs = event_jobs(database, bus, lease=lease, queue=QUEUE, handlers=HANDLERS)
    running = asyncio.create_task(run_worker(settings=settings(), jobs=jobs, stop=stop))
    yield
    stop.set()
    await running


async def until_effects(database: Database, count: int, *, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while await how_many(database) < count:
            await asyncio.sleep(0.1)


async def how_many(database: Database) -> int:
    try:
        return len(await effects(database))
    except DatabaseUnavailable:
        return 0


async def test_from_outbox_to_effect(runtime: Database) -> None:
    async with working(runtime, FakeBus(), Lease(runtime, colour="blue")):
        await asyncio.sleep(0.3)
        ids = await send(runtime, 20)
        await until_effects(runtime, 20)
    assert sorted(await effects(runtime)) == sorted(ids)
    assert await waiting(runtime) == 0


async def test_only_the_active_colour_works(runtime: Database) -> None:
    blue = Lease(runtime, colour="blue")
    await blue.renew()
    await send(runtime, 3)
    async with working(runtime, FakeBus(), Lease(runtime, colour="green")):
        await asyncio.sleep(0.5)
        assert await waiting(runtime) == 3
        await blue.release()
        await until_effects(runtime, 3)


async def test_what_waits_is_measured(runtime: Database) -> None:
    blue = Lease(runtime, colour="blue")
    await blue.renew()
    await send(runtime, 3)
    async with working(runtime, FakeBus(), Lease(runtime, colour="green")):
        async with asyncio.timeout(10):
            while REGISTRY.get_sample_value("outbox_waiting") != 3:
                await asyncio.sleep(0.02)
    assert (REGISTRY.get_sample_value("outbox_oldest_seconds") or 0) > 0
    for queue in ("outbox", QUEUE):
        assert REGISTRY.get_sample_value("dead_letters_open", {"queue": queue}) == 0


async def test_a_clean_end_gives_the_lease_up(runtime: Database, database: TestDatabase) -> None:
    own = settings(database_url=database.url, bus_url="postgresql+asyncpg://x@127.0.0.1:9/none")
    async with open_backbone(own, runtime, service=QUEUE, handlers={}) as jobs:
        hold = next(job for job in jobs if job.name == "hold-lease")
        await hold.run()
        green = Lease(runtime, colour="green")
        await green.renew()
        assert not green.held
    await green.renew()
    assert green.held


async def test_without_a_bus_it_says_so(runtime: Database) -> None:
    with pytest.raises(BusNotConfigured):
        async with open_backbone(settings(), runtime, service=QUEUE, handlers={}):
            pass


@pytest.mark.untraced
@pytest.mark.long
async def test_postgres_restarts_in_the_middle(
    postgres_server: EmbeddedPostgres, recipe: Recipe
) -> None:
    """Bus and service on one server, as on a laptop."""
    url = await make_database(postgres_server, recipe)
    bus_url = await make_database(postgres_server, alembic_recipe("bus"))
    owner = make_url(postgres_server.superuser_url()).set(
        drivername="postgresql+asyncpg", database=recipe.service
    )
    await make_effects(owner.render_as_string(hide_password=False))
    database, stop = Database.connect(url, name="test"), asyncio.Event()
    own = settings(database_url=url, bus_url=bus_url)
    async with open_backbone(own, database, service=QUEUE, handlers=HANDLERS) as jobs:
        running = asyncio.create_task(run_worker(settings=own, jobs=jobs, stop=stop))
        ids = await send(database, 50)
        await until_effects(database, 10)
        await asyncio.to_thread(postgres_server.stop, "immediate")
        with pytest.raises(Unavailable):
            await send(database, 1)
        await asyncio.to_thread(postgres_server.start)
        ids += await send(database, 50)
        # A batch that was in hand is handed out again after its visibility time-out.
        await until_effects(database, 100, seconds=60)
        stop.set()
        await running
    assert sorted(await effects(database)) == sorted(ids)
    await database.dispose()


async def make_database(server: EmbeddedPostgres, recipe: Recipe) -> str:
    """A migrated database; the URL of its runtime role."""
    owner = server.superuser_url()
    await provision(owner, recipe.service, migrator_password="x", runtime_password="x")
    url = make_url(owner).set(drivername="postgresql+asyncpg", database=recipe.service)
    roles = roles_of(recipe.service)
    await recipe.migrate(url.set(username=roles.migrator).render_as_string(hide_password=False))
    return url.set(username=roles.runtime).render_as_string(hide_password=False)
