"""Migrations of a made-up service, by the project's own `env.py` and template."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from alembic.config import main as alembic
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from chassis.db_refusals import DatabaseRefusal
from chassis.migrate import CannotMigrate, migrate
from chassis.migrations import exclusive_connection, migrations_folder, upgrade
from chassis.provisioning import administrate
from chassis.schema import SchemaError
from chassis.settings import ServiceSettings
from chassis.testing.databases import Recipe, TestDatabase, TestServer
from chassis.testing.migrations_check import Difference, check_service, main

MODELS = """
from datetime import date
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from chassis.db import new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()


class Truck(Base):
    __tablename__ = "truck"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wheels: Mapped[int] = mapped_column(server_default=text("6"))


class Position(Base):
    __tablename__ = "position"
    __table_args__ = {"postgresql_partition_by": "RANGE (on_day)"}
    on_day: Mapped[date] = mapped_column(primary_key=True)
"""
FIRST = """
from alembic import op
from chassis import schema_v1

revision = "0001"
down_revision = None


def upgrade():
    schema_v1.create_schema_revision(op, "sample_runtime")
    schema_v1.create_partition_upkeep(op, "sample_runtime")
    schema_v1.create_idempotency(op, "sample_runtime")
    schema_v1.create_outbox(op, "sample_runtime")
    schema_v1.create_audit(op, "sample_runtime")
    schema_v1.create_audit_seals(op, "sample_runtime")
    op.execute("CREATE TABLE truck (id int CONSTRAINT pk_truck PRIMARY KEY,"
               " wheels int NOT NULL DEFAULT 6)")
    op.execute("CREATE TABLE position (on_day date CONSTRAINT pk_position PRIMARY KEY)"
               " PARTITION BY RANGE (on_day)")
    schema_v1.register_partitioned(op, "position", keep_days=3)
"""
SECOND = """
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_truck_wheels ON truck (wheels)")


def downgrade():
    op.execute("DROP INDEX ix_truck_wheels")
"""
REVERSIBLE = """
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE truck (id int CONSTRAINT pk_truck PRIMARY KEY,"
               " wheels int NOT NULL DEFAULT 6)")
    op.execute("CREATE TABLE position (on_day date CONSTRAINT pk_position PRIMARY KEY)"
               " PARTITION BY RANGE (on_day)")


def downgrade():
    op.execute("DROP TABLE truck, position")
"""


class Sample:
    """A service called `sample`: a folder of migrations and a package of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = folder / "sample" / "versions"
        self.models = folder / "packages" / "sample_service" / "models.py"
        self.versions.mkdir(parents=True)
        self.models.parent.mkdir(parents=True)
        (self.models.parent / "__init__.py").touch()
        self.models.write_text(MODELS)
        for name in ("env.py", "script.py.mako"):
            copy(migrations_folder() / name, folder / name)
        ini = (migrations_folder() / "alembic.ini").read_text()
        section = (
            "[sample]\nversion_locations = %(here)s/sample/versions\npackage = sample_service\n"
        )
        (folder / "alembic.ini").write_text(f"{ini}\n{section}")

    def write(self, name: str, source: str) -> None:
        (self.versions / f"{name}.py").write_text(source)

    def command(self, *arguments: str) -> list[str]:
        return ["-c", str(self.folder / "alembic.ini"), "-n", "sample", *arguments]


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sample]:
    made = Sample(tmp_path)
    monkeypatch.setenv("UBERTRUCK_MIGRATIONS_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(made.models.parents[1]), *sys.path])
    yield made
    for name in ("sample_service", "sample_service.models"):
        sys.modules.pop(name, None)


@pytest.fixture
def empty(test_server: TestServer) -> Iterator[TestDatabase]:
    """A database of the service `sample`, without tables."""

    async def nothing(_url: str) -> None:
        pass

    template = test_server.ensure_template(Recipe("sample", "empty", nothing))
    with test_server.cloned(template, "sample") as cloned:
        yield cloned


async def tables(database: TestDatabase) -> set[str]:
    async with administrate(database.superuser_url) as connection:
        return set(await connection.scalars(text("SELECT tablename FROM pg_tables")))


class TestUpgrade:
    async def test_several_at_once_run_each_revision_once(
        self, sample: Sample, empty: TestDatabase
    ) -> None:
        sample.write("0001_first", FIRST)
        sample.write("0002_index", SECOND)
        await asyncio.gather(*(upgrade("sample", empty.migrator_url) for _ in range(3)))
        assert {"truck", "outbox", "audit_seals"} <= await tables(empty)

    async def test_up_to_a_revision(self, sample: Sample, empty: TestDatabase) -> None:
        sample.write("0001_first", FIRST)
        await upgrade("sample", empty.migrator_url, "base")
        assert "truck" not in await tables(empty)

    async def test_it_waits_for_another_run(self, sample: Sample, empty: TestDatabase) -> None:
        sample.write("0001_first", FIRST)
        async with exclusive_connection(empty.migrator_url):
            waiting = asyncio.create_task(upgrade("sample", empty.migrator_url))
            finished, _ = await asyncio.wait({waiting}, timeout=0.3)
            assert not finished
        await waiting
        assert "truck" in await tables(empty)

    async def test_a_failed_revision_leaves_nothing(
        self, sample: Sample, empty: TestDatabase
    ) -> None:
        sample.write("0001_first", FIRST + "    op.execute('SELECT 1 / 0')\n")
        with pytest.raises(DBAPIError, match="division by zero"):
            await upgrade("sample", empty.migrator_url)
        assert "truck" not in await tables(empty)

    def test_the_repository_holds_the_migrations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("UBERTRUCK_MIGRATIONS_DIR", raising=False)
        assert (migrations_folder() / "alembic.ini").is_file()


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


class TestCheck:
    async def test_partitions_functions_and_shared_tables_are_no_difference(
        self, sample: Sample, empty: TestDatabase
    ) -> None:
        sample.write("0001_first", FIRST)
        verdict = await check_service("sample", empty.migrator_url)
        assert verdict == "the migrations up to 0001 make what the models say"

    async def test_reversible_ones_go_down_and_up(
        self, sample: Sample, empty: TestDatabase
    ) -> None:
        sample.write("0001_first", REVERSIBLE)
        verdict = await check_service("sample", empty.migrator_url)
        assert verdict.endswith(", also after going down and up again")

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            (
                "wheels: Mapped[int]",
                "axles: Mapped[int]",
                "op.add_column('truck', sa.Column('axles'",
            ),
            ("wheels: Mapped[int]", "wheels: Mapped[str]", "type_=sa.String()"),
            ('"6"', '"8"', "server_default=sa.text('8')"),
            ("wheels: Mapped[int]", "wheels: Mapped[int | None]", "nullable=True"),
        ],
    )
    async def test_differences_are_told_as_steps(
        self, sample: Sample, empty: TestDatabase, before: str, after: str, said: str
    ) -> None:
        sample.write("0001_first", FIRST)
        sample.models.write_text(MODELS.replace(before, after))
        with pytest.raises(Difference, match="models differ") as differ:
            await check_service("sample", empty.migrator_url)
        assert said in str(differ.value)

    @pytest.mark.parametrize(
        ("second", "said"),
        [
            (SECOND.replace('"0001"', "None"), "Multiple head"),
            (SECOND.replace("wheels)", "axles)"), 'column "axles" does not exist'),
            ("import nowhere\n", "No module named 'nowhere'"),
        ],
    )
    async def test_migrations_that_do_not_run(
        self, sample: Sample, empty: TestDatabase, second: str, said: str
    ) -> None:
        sample.write("0001_first", FIRST)
        sample.write("0002_index", second)
        with pytest.raises(Difference, match="the migrations don't run: ") as differ:
            await check_service("sample", empty.migrator_url)
        assert said in str(differ.value)

    def test_command(self, sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
        sample.write("0001_first", FIRST)
        assert main(["sample", "ghost"]) == 1
        said = capsys.readouterr()
        assert said.out == "sample: the migrations up to 0001 make what the models say\n"
        assert said.err.startswith("ghost: the migrations don't run: ")
        assert said.err.endswith("has no section [ghost].\n")


class TestCommandLine:
    def test_revisions_are_numbered_and_written_from_the_models(
        self, sample: Sample, empty: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UBERTRUCK_DATABASE_URL", empty.migrator_url)
        alembic(sample.command("revision", "--autogenerate", "-m", "trucks"))
        source = (sample.versions / "0001_trucks.py").read_text()
        assert "lock_timeout = '5s'" in source
        assert "postgresql_partition_by='RANGE (on_day)'" in source
        alembic(sample.command("upgrade", "head"))
        alembic(sample.command("check"))
        alembic(sample.command("revision", "-m", "more"))
        assert 'down_revision = "0001"' in (sample.versions / "0002_more.py").read_text()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["current"], "Say which database: set UBERTRUCK_DATABASE_URL or pass -x url="),
            (["upgrade", "head", "--sql"], "--sql isn't supported"),
        ],
    )
    def test_what_can_not_be_done_is_one_sentence(
        self,
        sample: Sample,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        said: str,
    ) -> None:
        monkeypatch.delenv("UBERTRUCK_DATABASE_URL", raising=False)
        with pytest.raises(SystemExit):
            alembic(sample.command(*arguments))
        assert said in "".join(capsys.readouterr())

    def test_a_database_that_is_away_is_one_sentence(self, sample: Sample) -> None:
        away = ["-x", "url=postgresql://x@127.0.0.1:1/x", "current"]
        refused = subprocess.run(  # noqa: S603 - alembic's own command
            [sys.executable, "-m", "alembic", *sample.command(*away)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode != 0
        assert "FAILED: The database can't be reached: " in refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr
