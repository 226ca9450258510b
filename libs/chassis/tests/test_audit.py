import uuid
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import audit_log_table, audit_seals_table, record_audit
from chassis.ids import new_id
from chassis.redaction import REDACTED


async def recorded(session: AsyncSession, audit_id: uuid.UUID) -> dict[str, Any]:
    query = text("SELECT *, host(source_ip) AS host FROM audit_log WHERE id = :id")
    return dict((await session.execute(query, {"id": audit_id})).mappings().one())


async def test_everything_that_is_said_is_kept(session: AsyncSession) -> None:
    tenant = new_id()
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        audit_id = await record_audit(
            session,
            actor="user/7",
            action="booking.cancel",
            target="booking/9",
            outcome="denied",
            tenant_id=tenant,
            change_ticket="CHG-00000001",
            source_ip="203.0.113.9",
            details={"reason": "late", "tons": 25},
        )
    row = await recorded(session, audit_id)
    assert row.pop("recorded_at").tzinfo is not None
    del row["source_ip"]
    assert row == {
        "id": audit_id,
        "actor": "user/7",
        "tenant_id": tenant,
        "action": "booking.cancel",
        "target": "booking/9",
        "outcome": "denied",
        "change_ticket": "CHG-00000001",
        "host": "203.0.113.9",
        "trace_id": f"{span.get_span_context().trace_id:032x}",
        "details": {"reason": "late", "tons": 25},
    }


async def test_little_is_needed(session: AsyncSession) -> None:
    row = await recorded(session, await record_audit(session, actor="a", action="b", target="c"))
    assert (row["outcome"], row["details"]) == ("allowed", {})
    assert row["tenant_id"] is row["change_ticket"] is row["host"] is row["trace_id"] is None


async def test_secrets_stay_out(session: AsyncSession) -> None:
    audit_id = await record_audit(
        session,
        actor="4111 1111 1111 1111",
        action="login\x00",
        target="Bearer abcdefghijklmnop",
        change_ticket="4111111111111111",
        details={"password": "hunter2", "note": "card 4111-1111-1111-1111"},
    )
    row = await recorded(session, audit_id)
    assert row["actor"] == row["target"] == row["change_ticket"] == REDACTED
    assert row["action"] == "login\ufffd"
    assert row["details"] == {"password": REDACTED, "note": f"card {REDACTED}"}


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unix:", None),
        ("", None),
        ("1.2.3.4, 5.6.7.8", None),
    ],
)
async def test_a_source_that_is_no_address_is_left_out(
    session: AsyncSession, source: str, kept: str | None
) -> None:
    audit_id = await record_audit(session, actor="a", action="b", target="c", source_ip=source)
    assert (await recorded(session, audit_id))["host"] == kept


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {} = {}"])
async def test_the_runtime_role_only_adds(
    session: AsyncSession, table: str, statement: str
) -> None:
    key = "id" if table == "audit_log" else "audit_id"
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text(statement.format(table, key, key)))


async def test_the_tables_name_the_columns_that_the_database_has(session: AsyncSession) -> None:
    metadata = MetaData()
    for table in (audit_log_table(metadata), audit_seals_table(metadata)):
        columns = await session.scalars(
            text(
                "SELECT attname FROM pg_attribute "
                "WHERE attrelid = CAST(:name AS text)::regclass AND attnum > 0"
            ),
            {"name": table.name},
        )
        assert set(table.c.keys()) == set(columns)
