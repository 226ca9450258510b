import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from chassis.audit_anchor import FileAnchor
from chassis.audit_chain import START, Link
from chassis.db import Database, DatabaseUnavailable
from chassis.embedded import EmbeddedPostgres
from chassis.provisioning import provision, roles_of
from chassis.sealer import ChainBroken, note_restore
from chassis.settings import ServiceSettings
from chassis.testing.databases import Recipe, TestDatabase
from chassis.worker import Job, run_worker

from .sealing import SealedAudit, as_superuser

SEAL_ONE_BATCH = """
import asyncio, sys
from pathlib import Path
from chassis.audit_anchor import FileAnchor
from chassis.db import Database
from chassis.provisioning import provision, roles_of
from chassis.sealer import Sealer

database = Database.connect(sys.argv[1], name="doomed")
asyncio.run(Sealer(database, anchor=FileAnchor(Path(sys.argv[2]))).run())
"""


@pytest.fixture
async def audit(database: TestDatabase, tmp_path: Path) -> AsyncIterator[SealedAudit]:
    async with SealedAudit.open(database.url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def superuser(database: TestDatabase) -> AsyncIterator[Database]:
    async with as_superuser(database) as opened:
        yield opened


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.01)


async def test_a_sealer_killed_half_way_leaves_no_trace(
    audit: SealedAudit, superuser: Database, database: TestDatabase, tmp_path: Path
) -> None:
    await audit.record(5)
    anchor = tmp_path / "doomed.log"
    async with superuser.begin() as blocker:
        await blocker.execute(text("LOCK TABLE audit_seals IN SHARE MODE"))
        doomed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SEAL_ONE_BATCH, database.url, str(anchor)
        )

        async def is_inserting() -> bool:
            waiting = text(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doomed' "
                "AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO audit_seals%'"
            )
            async with superuser.begin() as session:
                return await session.scalar(waiting) == 1

        await eventually(is_inserting)
        doomed.kill()
        assert await doomed.wait() == -signal.SIGKILL

    async def is_gone() -> bool:
        async with superuser.begin() as session:
            alive = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doomed'")
            return await session.scalar(alive) == 0

    await eventually(is_gone)
    assert await audit.seals() == 0
    assert not anchor.exists()
    await audit.seal()
    report = await audit.verify()
    assert report.ok
    assert report.sealed == 5


async def test_an_anchor_that_failed_is_written_by_the_next_run(
    audit: SealedAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FileAnchor, link: Link, *, rewound: bool = False) -> None:
        raise OSError("disk full")

    await audit.record(3)
    with monkeypatch.context() as broken:
        broken.setattr(FileAnchor, "append", fail)
        with pytest.raises(OSError, match="disk full"):
            await audit.sealer().run()
    assert await audit.seals() == 3
    assert audit.anchor.last() == START
    assert (await audit.verify()).ok
    await audit.sealer().run()
    assert audit.anchor.last().seq == 3
    assert (await audit.verify()).ok


async def test_a_sealer_refuses_to_bury_a_cut_tail(audit: SealedAudit, superuser: Database) -> None:
    await audit.record(5)
    await audit.seal()
    async with superuser.begin() as session:
        await session.execute(text("DELETE FROM audit_seals WHERE seq > 3"))
    with pytest.raises(ChainBroken, match="ends at 3, the anchor holds 5"):
        await audit.sealer().run()
    assert await audit.seals() == 3


async def test_a_sealer_refuses_to_follow_another_chain(
    audit: SealedAudit, superuser: Database
) -> None:
    await audit.record(5)
    await audit.seal()
    async with superuser.begin() as session:
        await session.execute(text("DELETE FROM audit_seals"))
    await SealedAudit(audit.database, Path(audit.anchor.path).parent / "other").seal()
    with pytest.raises(ChainBroken, match="Seal 5"):
        await audit.sealer().run()


async def test_a_restore_that_is_noted_is_no_tampering(
    audit: SealedAudit, superuser: Database
) -> None:
    await audit.record(5)
    await audit.seal(batch_size=2)
    async with superuser.begin() as session:
        await session.execute(text("DELETE FROM audit_seals WHERE seq > 3"))
    assert not (await audit.verify()).ok
    head = await note_restore(audit.database, audit.anchor)
    assert head.seq == 3
    assert (await audit.verify()).ok
    await audit.record(2)
    await audit.seal()
    report = await audit.verify()
    assert report.ok
    assert report.sealed == report.anchored_seq == 7


async def test_the_worker_seals_on_after_postgres_was_away(
    postgres_server: EmbeddedPostgres, recipe: Recipe, tmp_path: Path
) -> None:
    url = await make_database(postgres_server, recipe)
    settings = ServiceSettings.model_validate({"database_url": url, "state_dir": tmp_path})
    stop = asyncio.Event()
    async with SealedAudit.open(url, tmp_path) as audit:

        async def are_sealed(count: int) -> bool:
            return await audit.seals() == count

        job = Job(name="sealer", interval=0.01, run=audit.sealer().run)
        working = asyncio.create_task(run_worker(settings=settings, jobs=[job], stop=stop))
        await audit.record(2)
        await eventually(lambda: are_sealed(2))
        await asyncio.to_thread(postgres_server.stop)
        with pytest.raises(DatabaseUnavailable):
            await audit.seals()
        await asyncio.to_thread(postgres_server.start)
        await audit.record(2)
        await eventually(lambda: are_sealed(4))
        stop.set()
        await working
        assert (await audit.verify()).ok


async def make_database(server: EmbeddedPostgres, recipe: Recipe) -> str:
    owner = server.superuser_url()
    await provision(owner, recipe.service, migrator_password="x", runtime_password="x")
    url = make_url(owner).set(drivername="postgresql+asyncpg", database=recipe.service)
    roles = roles_of(recipe.service)
    await recipe.migrate(url.set(username=roles.migrator).render_as_string(hide_password=False))
    return url.set(username=roles.runtime).render_as_string(hide_password=False)
