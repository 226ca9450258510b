"""What load/README.md says is so."""

import re
from pathlib import Path

import pytest

from bench import mint
from bench.tokens import Token, shipper
from chassis.group_commit import BATCH, CAPACITY
from chassis.provisioning import administrate
from chassis.testing.databases import TestDatabase
from ops.edge import BOOKINGS_OF_A_CLIENT
from ops.ports import allot
from ops.services import Layout
from ops.state import StateFolder

ROOT = Path(__file__).parents[2]
README = (ROOT / "load" / "README.md").read_text()


@pytest.fixture
def service_name() -> str:
    return "booking"


async def test_its_statements_run_as_the_owner_of_the_tables(database: TestDatabase) -> None:
    blocks = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
    statements = [one for block in blocks for one in block.split(";\n") if one.strip()]
    assert len(statements) == 9
    async with administrate(database.migrator_url, database=database.name) as owner:
        for statement in statements:
            await owner.exec_driver_sql(statement)


def test_the_limits() -> None:
    limit = BOOKINGS_OF_A_CLIENT
    assert f"{limit.per_second} bookings a second ({limit.burst} at once) from each" in README
    assert f"always {BATCH} means" in README
    assert f"below {CAPACITY}," in README


def test_tokens_need_a_platform(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert mint.main(["--state", str(tmp_path)]) == 1
    assert "has never run" in capsys.readouterr().err
    been_there(tmp_path)
    assert mint.main(["--state", str(tmp_path)]) == 1
    assert f"The platform over {tmp_path} doesn't run." in capsys.readouterr().err


def test_tokens_one_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def made_up(_layout: Layout, *, count: int) -> list[Token]:
        return [Token(shipper=shipper(number), text=f"token-{number}") for number in range(count)]

    monkeypatch.setattr(mint, "mint", made_up)
    been_there(tmp_path)
    assert mint.main(["--state", str(tmp_path), "--count", "3"]) == 0
    assert capsys.readouterr().out == "token-0\ntoken-1\ntoken-2\n"


def been_there(root: Path) -> None:
    """What a platform leaves behind, of which these tests need no more than a port."""
    folder = StateFolder(root)
    folder.prepare()
    allot(["postgres"], folder.ports_file)


def test_secrets_stay_out_of_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    for file in ("load/clients.json", "load/tokens.txt"):
        assert file in ignored
        assert f"`{file}`" in README
