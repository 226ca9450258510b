import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit_rows import Audited
from chassis.audit_verify import verify
from chassis.db import Database
from chassis.ids import new_id
from chassis.sealer import Sealer
from chassis.testing.databases import TestDatabase

from .sealing import SealedAudit, as_superuser

FIXED_ROW = """(
    '01a20ba5-4cb6-76ff-af91-77649907509b', '2026-01-02 08:34:05.000678+05:30', 'Ashä "q"', 'b', '',
    'denied', '2001:db8::1',
    '{"n": 1.10, "big": 12345678901234567890, "deep": [null, {"a": "ü\\n"}]}'
)"""
FIXED_FORM = {
    "id": '"01a20ba5-4cb6-76ff-af91-77649907509b"',
    "recorded_at": '"2026-01-02T03:04:05.000678+00:00"',
    "actor": '"Ashä \\"q\\""',
    "action": '"b"',
    "target": '""',
    "outcome": '"denied"',
    "source_ip": '"2001:db8::1"',
    "details": '{"n": 1.10, "big": 12345678901234567890, "deep": [null, {"a": "ü\\n"}]}',
}


@pytest.fixture
async def audit(database: TestDatabase, tmp_path: Path) -> AsyncIterator[SealedAudit]:
    async with SealedAudit.open(database.url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def superuser(database: TestDatabase) -> AsyncIterator[Database]:
    async with as_superuser(database) as opened:
        yield opened


async def insert_row(session: AsyncSession, key: uuid.UUID) -> None:
    columns = "id, actor, action, target, outcome"
    statement = f"INSERT INTO audit_log ({columns}) VALUES (:id, 'a', 'b', 'c', 'failed')"  # noqa: S608 - constants
    await session.execute(text(statement), {"id": key})


def id_made(ago: timedelta) -> uuid.UUID:
    milliseconds = int((datetime.now(UTC) - ago).timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | new_id().int % (1 << 80))


async def test_rows_are_sealed_and_anchored_batch_by_batch(audit: SealedAudit) -> None:
    await audit.record(25)
    sealer = audit.sealer(batch_size=10)
    assert [await sealer.run() for _ in range(4)] == [True, True, False, False]
    report = await audit.verify(batch_size=10)
    assert report.ok
    assert (report.sealed, report.unsealed, report.head_seq) == (25, 0, 25)
    assert [link.seq for link in audit.anchor.links(audit.anchor.size())] == [10, 20, 25]
    assert report.anchored_seq == 25


async def test_the_normal_form_is_what_it_was(audit: SealedAudit) -> None:
    """Seals must be recomputable for years: a change that breaks this breaks every chain."""
    columns = "id, recorded_at, actor, action, target, outcome, source_ip, details"
    async with audit.database.begin() as session:
        await session.execute(
            text(f"INSERT INTO audit_log ({columns}) VALUES {FIXED_ROW}")  # noqa: S608 - a constant
        )
    await audit.seal()
    async with audit.database.begin() as session:
        digest = await session.scalar(text("SELECT row_digest FROM audit_seals"))
    canonical = json.dumps(FIXED_FORM, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest == sha256(canonical.encode()).digest()


async def test_the_chain_can_be_reckoned_again_in_sql(audit: SealedAudit) -> None:
    await audit.record(3)
    await audit.seal(batch_size=2)
    genesis = "sha256('in.ubertruck.audit-chain.v1')"
    before = f"lag(chain_digest, 1, {genesis}) OVER (ORDER BY seq) AS before"
    moment = "int8send((extract(epoch FROM sealed_at) * 1000000)::bigint)"
    reckoned = text(
        f"SELECT count(*) FROM (SELECT *, {before} FROM audit_seals) AS seals "  # noqa: S608 - constants
        f"WHERE chain_digest = sha256(before || int8send(seq) || {moment} || row_digest)"
    )
    async with audit.database.begin() as session:
        assert await session.scalar(reckoned) == 3


async def test_an_empty_audit_is_in_order(audit: SealedAudit) -> None:
    assert await audit.sealer().run() is False
    report = await audit.verify()
    assert report.ok
    assert report.sealed == report.unsealed == report.anchored_seq == 0


async def test_rows_that_are_not_sealed_yet_are_counted(audit: SealedAudit) -> None:
    await audit.record(5)
    await audit.seal()
    await audit.record(3)
    report = await audit.verify(batch_size=2)
    assert report.ok
    assert (report.sealed, report.unsealed) == (5, 3)


async def test_a_row_that_commits_late_is_sealed_late(audit: SealedAudit) -> None:
    early = new_id()
    async with audit.database.begin() as session:
        await insert_row(session, early)
        await audit.record(5)
        await audit.seal()
        assert await audit.seals() == 5
    await audit.seal()
    assert await audit.seals() == 6
    assert (await audit.verify()).ok


async def test_in_a_long_table_new_rows_come_at_once_and_old_ones_in_turn(
    audit: SealedAudit,
) -> None:
    old = [id_made(timedelta(days=1, seconds=-number)) for number in range(20)]
    async with audit.database.begin() as session:
        for key in old:
            await insert_row(session, key)
    await audit.record(1)
    await audit.seal()
    async with audit.database.begin() as session:
        await insert_row(session, id_made(timedelta(days=1, seconds=-10)))
    sealer = audit.sealer(patrol_size=3)
    await audit.record(2)
    await sealer.run()
    assert await audit.seals() == 23
    for _ in range(6):
        await sealer.run()
    assert await audit.seals() == 24
    assert (await audit.verify()).ok


async def test_a_backlog_is_sealed_without_a_pause(audit: SealedAudit) -> None:
    await audit.record(40)
    sealer = audit.sealer(batch_size=6, patrol_size=8)
    while await sealer.run():
        pass
    assert await audit.seals() == 40


async def test_many_sealers_at_once_neither_repeat_nor_skip(audit: SealedAudit) -> None:
    await audit.record(60)
    sealers = [audit.sealer(batch_size=7) for _ in range(4)]

    async def work(sealer: Sealer) -> None:
        while await audit.seals() < 60:
            await sealer.run()

    await asyncio.gather(*(work(sealer) for sealer in sealers))
    report = await audit.verify(batch_size=7)
    assert report.ok
    assert (report.sealed, report.unsealed, report.anchored_seq) == (60, 0, 60)


async def test_verifying_while_sealing_finds_nothing_wrong(audit: SealedAudit) -> None:
    await audit.record(24)
    sealing = asyncio.create_task(audit.seal(batch_size=2))
    while not sealing.done():
        assert (await audit.verify()).ok
    await sealing
    assert (await audit.verify()).sealed == 24


async def test_a_sealer_waits_for_no_other(audit: SealedAudit, superuser: Database) -> None:
    await audit.record(1)
    async with superuser.begin() as session:
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"),
            {"key": int.from_bytes(b"sealer", "big")},
        )
        assert await audit.sealer().run() is False
        assert await audit.seals() == 0
    await audit.seal()
    assert await audit.seals() == 1


async def test_a_table_of_another_shape_is_sealed_as_well(
    audit: SealedAudit, superuser: Database
) -> None:
    async with superuser.begin() as session:
        for statement in (
            'CREATE TABLE configuration_audit (audit_id uuid PRIMARY KEY, "timestamp" '
            "timestamptz NOT NULL DEFAULT now(), old_value jsonb, amount numeric, flag boolean)",
            "GRANT SELECT, INSERT ON configuration_audit TO chassis_runtime",
            "ALTER TABLE audit_seals DROP CONSTRAINT fk_audit_seals_audit_id",
        ):
            await session.execute(text(statement))
        for number in range(3):
            await session.execute(
                text("INSERT INTO configuration_audit VALUES (:id, now(), :value, 1.10, true)"),
                {"id": new_id(), "value": json.dumps({"n": number})},
            )
    audited = Audited("configuration_audit", "audit_id")
    await Sealer(audit.database, anchor=audit.anchor, audited=audited).run()
    report = await verify(audit.database, anchor=audit.anchor, audited=audited)
    assert report.ok
    assert report.sealed == 3
    async with superuser.begin() as session:
        await session.execute(text("UPDATE configuration_audit SET amount = 1.1 "))
    report = await verify(audit.database, anchor=audit.anchor, audited=audited)
    assert report.problems == 3


async def test_a_later_column_leaves_old_seals_valid(
    audit: SealedAudit, superuser: Database
) -> None:
    await audit.record(2)
    await audit.seal()
    async with superuser.begin() as session:
        await session.execute(text("ALTER TABLE audit_log ADD COLUMN device text"))
        await insert_row(session, new := new_id())
        await session.execute(text("UPDATE audit_log SET device = 'x' WHERE id = :id"), {"id": new})
    await audit.seal()
    report = await audit.verify()
    assert report.ok
    assert report.sealed == 3


async def test_settings_of_the_database_dont_change_digests(
    audit: SealedAudit, superuser: Database, database: TestDatabase
) -> None:
    await audit.record(2)
    await audit.seal()
    async with superuser.begin() as session:
        for setting in (
            "TimeZone = 'Asia/Kolkata'",
            "DateStyle = 'German'",
            "extra_float_digits = -15",
        ):
            await session.execute(text(f'ALTER DATABASE "{database.name}" SET {setting}'))
    await audit.database.dispose()
    assert (await audit.verify()).ok
