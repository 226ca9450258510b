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
