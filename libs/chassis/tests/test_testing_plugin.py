import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.testing.databases import TestDatabase

_INSERT = text(
    "INSERT INTO audit_log (id, actor, action, target, outcome)"
    " VALUES (gen_random_uuid(), 'a', 'b', 'c', 'allowed')"
)
_COUNT = text("SELECT count(*) FROM audit_log")


@pytest.mark.parametrize("attempt", [1, 2])
async def test_session_is_rolled_back(session: AsyncSession, attempt: int) -> None:
    assert await session.scalar(_COUNT) == 0
    await session.execute(_INSERT)
    await session.commit()
    assert await session.scalar(_COUNT) == 1


@pytest.mark.parametrize("attempt", [1, 2])
async def test_app_and_test_share_a_transaction(
    session: AsyncSession, rollback_database: Database, attempt: int
) -> None:
    async with rollback_database.begin() as other:
        await other.execute(_INSERT)
    assert await session.scalar(_COUNT) == 1


@pytest.mark.parametrize("attempt", [1, 2])
async def test_database_is_fresh_and_commits(database: TestDatabase, attempt: int) -> None:
    app = Database.connect(database.url, name="test")
    async with app.begin() as session:
        await session.execute(_INSERT)
    async with app.begin() as session:
        assert await session.scalar(_COUNT) == 1
        user = await session.scalar(text("SELECT current_user"))
    await app.dispose()
    assert user == "chassis_runtime"


def test_database_serves_synchronous_tests(database: TestDatabase) -> None:
    assert database.url.startswith("postgresql+asyncpg://chassis_runtime")


INNER_TEST = """
import time
from pathlib import Path
import pytest
from chassis.provisioning import administrate

@pytest.fixture(scope="session")
def recipe():
    from chassis.testing.databases import Recipe
    async def nothing(_url): pass
    return Recipe("inner", "empty", nothing)

async def test_long(database):
    async with administrate(database.superuser_url) as connection:
        result = await connection.exec_driver_sql("SELECT pg_read_file('postmaster.pid')")
        Path("started.part").write_text(result.scalar_one())
    Path("started.part").rename("started")
    while not Path("interrupted").exists():
        time.sleep(0.05)
"""


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.nightly)])
def test_ctrl_c_leaves_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.delenv("UBERTRUCK_TEST_DATABASE_URL", raising=False)
    monkeypatch.delenv("UBERTRUCK_TEST_POSTGRES", raising=False)
    (tmp_path / "test_inner.py").write_text(INNER_TEST)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    plugins = ["-p", "chassis.testing.plugin", "-p", "no:schemathesis"]
    with subprocess.Popen(  # noqa: S603 - our own tests
        [sys.executable, "-m", "pytest", *plugins, "-n", workers, "test_inner.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as run:
        while not (tmp_path / "started").exists():
            assert run.poll() is None, run.communicate()[0].decode()
            time.sleep(0.05)
        pid, folder = (tmp_path / "started").read_text().splitlines()[:2]
        # The whole group, as a terminal does it.
        os.killpg(run.pid, signal.SIGINT)
        (tmp_path / "interrupted").touch()
        output = run.communicate()[0].decode()
    assert "KeyboardInterrupt" in output
    assert not Path(f"/proc/{pid}/cwd").exists()
    assert not Path(folder).exists()
