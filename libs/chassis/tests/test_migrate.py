"""The process `migrate` of a made-up service, over real databases."""

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from chassis.db_refusals import DatabaseRefusal
from chassis.migrate import CannotMigrate, migrate
from chassis.provisioning import administrate
from chassis.schema import SchemaError
from chassis.settings import ServiceSettings
from chassis.testing.databases import TestDatabase

from .migrating import FIRST, SECOND, Sample, tables


def settings_of(url: str) -> ServiceSettings:
    return ServiceSettings.model_validate({"database_url": url})


class TestMigrate:
    """What the process `migrate` of a service does."""

    async def test_again_it_finds_nothing_to_do(self, sample: Sample, empty: TestDatabase) -> None:
        sample.write("0001_first", FIRST)
        for _ in range(2):
            await migrate(settings_of(empty.migrator_url), "sample", 1)
        assert "truck" in await tables(empty)

    async def test_code_that_is_rolled_back_leaves_a_later_database_alone(
        self, sample: Sample, empty: TestDatabase
    ) -> None:
        sample.write("0001_first", FIRST)
        sample.write("0002_index", SECOND)
        await migrate(settings_of(empty.migrator_url), "sample", 2)
        (sample.versions / "0002_index.py").unlink()
        await migrate(settings_of(empty.migrator_url), "sample", 1)

        async with administrate(empty.superuser_url) as connection:
            await connection.execute(text("UPDATE schema_revision SET current=2, minimum_code=2"))
        with pytest.raises(SchemaError, match="serves code of revision 2 and newer"):
            await migrate(settings_of(empty.migrator_url), "sample", 1)

    async def test_what_fails_is_one_line(self, sample: Sample, empty: TestDatabase) -> None:
        sample.write("0001_first", FIRST + "    op.execute('SELECT 1 / 0')\n")
        with pytest.raises(CannotMigrate, match=r"^The migration failed: .*division by zero$"):
            await migrate(settings_of(empty.migrator_url), "sample", 1)

    async def test_a_server_without_the_database(self, empty: TestDatabase) -> None:
        url = make_url(empty.migrator_url).set(database="nowhere")
        with pytest.raises(DatabaseRefusal, match="has no such database"):
            await migrate(settings_of(url.render_as_string(hide_password=False)), "sample", 1)
