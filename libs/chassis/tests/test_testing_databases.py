import asyncio
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from chassis.provisioning import administrate
from chassis.testing.databases import Recipe, TestServer, alembic_recipe


class CountedMigration:
    """A recipe's migration that says how often it ran, and fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.runs = 0
        self._failures = failures

    async def __call__(self, url: str) -> None:
        self.runs += 1
        async with administrate(url) as connection:
            await connection.exec_driver_sql("CREATE TABLE made (id int)")
        if self.runs <= self._failures:
            raise RuntimeError("killed half-way")

    def recipe(self) -> Recipe:
        return Recipe("chassis", uuid4().hex[:12], self)


def test_two_workers_build_a_template_once(superuser_url: str) -> None:
    migration = CountedMigration()
    recipe = migration.recipe()
    first, second = TestServer(superuser_url), TestServer(superuser_url)

    async def both() -> set[str]:
        return set(
            await asyncio.gather(
                asyncio.to_thread(first.ensure_template, recipe),
                asyncio.to_thread(second.ensure_template, recipe),
            )
        )

    assert asyncio.run(both()) == {f"template_chassis_{recipe.digest}"}
    assert migration.runs == 1
    first.close()
    second.close()


def test_a_half_built_template_is_built_again(test_server: TestServer) -> None:
    recipe = CountedMigration(failures=1).recipe()
    with pytest.raises(RuntimeError, match="half-way"):
        test_server.ensure_template(recipe)
    template = test_server.ensure_template(recipe)
    with test_server.cloned(template, "chassis") as cloned:
        assert make_url(cloned.url).username == "chassis_runtime"
        assert make_url(cloned.migrator_url).username == "chassis_migrator"


async def test_a_copy_is_gone_afterwards_also_when_in_use(
    test_server: TestServer, template: str
) -> None:
    with test_server.cloned(template, "chassis") as cloned:
        left = administrate(cloned.url)
        connection = await left.__aenter__()
    async with administrate(test_server.superuser_url) as server:
        found = await server.exec_driver_sql(
            "SELECT 1 FROM pg_database WHERE datname = $1", (cloned.name,)
        )
        assert found.first() is None
    await connection.invalidate()
    await left.__aexit__(None, None, None)


def test_a_service_has_its_revisions_digest() -> None:
    booking, config = alembic_recipe("booking"), alembic_recipe("config")
    assert booking.digest == alembic_recipe("booking").digest
    assert booking.digest != config.digest
