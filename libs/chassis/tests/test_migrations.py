"""Migrations of a made-up service: upgrades, the check of models, the command line."""

import asyncio
import subprocess
import sys

import pytest
from alembic.config import main as alembic
from sqlalchemy.exc import DBAPIError

from chassis.migrations import exclusive_connection, migrations_folder, upgrade
from chassis.testing.databases import TestDatabase
from chassis.testing.migrations_check import Difference, check_service, main

from .migrating import FIRST, MODELS, REVERSIBLE, SECOND, Sample, tables


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
