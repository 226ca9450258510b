import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.audit_chain import START
from chassis.audit_verify import Problem
from chassis.db import Database
from chassis.sealer import Sealer
from chassis.testing.databases import TestDatabase

from .sealing import SealedAudit, as_superuser
from .tampering import DEEDS, Tampering

ROWS = 12
WITHOUT_PROTECTION = [
    "ALTER TABLE audit_seals DROP CONSTRAINT fk_audit_seals_audit_id",
    "ALTER TABLE audit_seals DROP CONSTRAINT uq_audit_seals_audit_id",
    "ALTER TABLE audit_seals DROP CONSTRAINT pk_audit_seals",
    "ALTER TABLE audit_seals DROP CONSTRAINT ck_audit_seals_seq",
    "ALTER TABLE audit_log DROP CONSTRAINT pk_audit_log",
    "CREATE TABLE log_before AS TABLE audit_log",
    "CREATE TABLE seals_before AS TABLE audit_seals",
]
AS_BEFORE = [
    "DELETE FROM audit_seals",
    "DELETE FROM audit_log",
    "INSERT INTO audit_log TABLE log_before",
    "INSERT INTO audit_seals TABLE seals_before",
]


@pytest.fixture
async def audit(database: TestDatabase, tmp_path: Path) -> AsyncIterator[SealedAudit]:
    """Twelve sealed rows."""
    async with SealedAudit.open(database.url, tmp_path) as opened:
        await opened.record(ROWS)
        await opened.seal(batch_size=5)
        yield opened


@pytest.fixture
async def superuser(database: TestDatabase) -> AsyncIterator[Database]:
    async with as_superuser(database) as opened:
        await run(opened, WITHOUT_PROTECTION)
        yield opened


async def run(database: Database, statements: list[str]) -> None:
    async with database.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def find(audit: SealedAudit, superuser: Database, deed: str, luck: random.Random) -> None:
    async with superuser.begin() as session:
        for statement in AS_BEFORE:
            await session.execute(text(statement))
        await Tampering(luck, ROWS).one(session, deed)
    report = await audit.verify(batch_size=luck.choice([4, 5, 1000]))
    assert not report.ok, f"not seen: {deed}"
    assert report.first_broken_seq is not None
    assert report.first_broken_seq <= ROWS + 1


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(5))
async def test_every_single_deed_is_found(
    audit: SealedAudit, superuser: Database, seed: int
) -> None:
    luck = random.Random(seed)
    for deed in DEEDS:
        await find(audit, superuser, deed, luck)
    await run(superuser, AS_BEFORE)
    assert (await audit.verify()).ok


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
async def test_ten_thousand_deeds_are_found(
    audit: SealedAudit, superuser: Database, seed: int
) -> None:
    luck = random.Random(seed)
    for _ in range(1000):
        await find(audit, superuser, luck.choice(list(DEEDS)), luck)


@pytest.mark.parametrize(
    ("statement", "problem", "seq"),
    [
        ("UPDATE audit_log SET actor = 'x' WHERE id = {row}", "row-changed", 7),
        ("UPDATE audit_log SET details = '{{\"ratio\": 1.50}}' WHERE id = {row}", "row-changed", 7),
        ("DELETE FROM audit_log WHERE id = {row}", "row-missing", 7),
        ("DELETE FROM audit_seals WHERE seq = 7", "seal-missing", 7),
        ("UPDATE audit_seals SET sealed_at = now() WHERE seq = 7", "seal-changed", 7),
        ("DELETE FROM audit_seals WHERE seq >= 7", "tail-missing", 7),
        ("INSERT INTO audit_seals SELECT * FROM audit_seals WHERE seq = 7", "seal-repeated", 7),
    ],
)
async def test_the_report_says_what_and_where(
    audit: SealedAudit, superuser: Database, statement: str, problem: Problem, seq: int
) -> None:
    row = "(SELECT audit_id FROM audit_seals WHERE seq = 7)"
    await run(superuser, [statement.format(row=row)])
    report = await audit.verify()
    assert report.first_broken_seq == seq
    assert report.findings[0].problem == problem


async def test_a_chain_written_anew_is_found_by_its_anchor(
    audit: SealedAudit, superuser: Database, tmp_path: Path
) -> None:
    first = "(SELECT audit_id FROM audit_seals WHERE seq = 1)"
    changed = f"UPDATE audit_log SET actor = 'x' WHERE id = {first}"  # noqa: S608 - a constant
    await run(superuser, [changed, "DELETE FROM audit_seals"])
    forger = SealedAudit(superuser, tmp_path / "forged")
    await Sealer(superuser, anchor=forger.anchor).run()
    assert (await forger.verify()).ok
    report = await audit.verify()
    assert {finding.problem for finding in report.findings} == {"anchor-mismatch"}
    assert report.first_broken_seq == 5


async def test_without_an_anchor_a_cut_tail_passes_unseen(
    audit: SealedAudit, superuser: Database
) -> None:
    audit.anchor.path.unlink()
    await run(superuser, ["DELETE FROM audit_seals WHERE seq > 7"])
    report = await audit.verify()
    assert report.ok
    assert report.anchored_seq == START.seq


async def test_a_thousand_findings_are_counted_but_not_kept(
    audit: SealedAudit, superuser: Database
) -> None:
    await audit.record(110)
    await audit.seal()
    await run(superuser, ["UPDATE audit_log SET actor = 'x'"])
    report = await audit.verify()
    assert report.problems == ROWS + 110
    assert len(report.findings) == 100
