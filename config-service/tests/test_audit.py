import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.canonical import checksum
from config_service.models import ConfigurationAudit

from .factories import (
    DEV,
    OTHER_TICKET,
    PRODUCTION,
    TICKET,
    Person,
    in_production,
    to_put,
)


async def rows(session: AsyncSession) -> list[ConfigurationAudit]:
    statement = select(ConfigurationAudit).order_by(ConfigurationAudit.audit_id)
    return list(await session.scalars(statement))


async def test_writes(author: Person, session: AsyncSession) -> None:
    created = await author.put(DEV, {"n": 1}, headers={"If-None-Match": "*"})
    updated = await author.put(DEV, {"n": 2}, headers={"If-Match": created.headers["etag"]})
    deleted = {"If-Match": updated.headers["etag"]}
    await author.delete(DEV, ticket=OTHER_TICKET, headers=deleted)
    await author.roll_back(DEV, 1, headers={"If-None-Match": "*"})
    found = [
        (row.action, row.old_value, row.new_value, row.version_number, row.change_ticket)
        for row in await rows(session)
    ]
    assert found == [
        ("CREATE", None, {"n": 1}, 1, TICKET),
        ("UPDATE", {"n": 1}, {"n": 2}, 2, TICKET),
        ("DELETE", {"n": 2}, None, 2, OTHER_TICKET),
        ("CREATE", None, {"n": 1}, 3, TICKET),
    ]


async def test_row_says_who_what_when_and_from_where(
    author: Person, client: httpx.AsyncClient, session: AsyncSession
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    client.headers["traceparent"] = f"00-{trace}-b7ad6b7169203331-01"
    client.headers["x-forwarded-for"] = "203.0.113.9, 198.51.100.7"
    await author.put(DEV, {"n": 1}, headers={"If-None-Match": "*"})
    await author.get(DEV)
    for row in await rows(session):
        assert row.address == DEV
        assert row.user_id == author.user_id
        # The edge appended the last one; what stands before it, the client may have made up.
        assert str(row.ip_address) == "198.51.100.7"
        assert row.trace_id == trace
        assert row.outcome == "allowed"
        assert row.checksum == checksum({"n": 1})
        assert row.version_number == 1
        assert row.timestamp.tzinfo is not None


async def test_reads_that_are_answered(author: Person, session: AsyncSession) -> None:
    etag = (await author.put(DEV, {"n": 1}, headers={"If-None-Match": "*"})).headers["etag"]
    await author.get(DEV)
    await author.get(DEV, "versions", "1")
    await author.get(DEV, "history")
    await author.get(DEV, headers={"If-None-Match": etag})
    await author.get(DEV, "versions", "1", headers={"If-None-Match": etag})
    await author.get(DEV, "versions", "2")
    await author.get(PRODUCTION)
    reads = [row for row in await rows(session) if row.action == "ACCESS"]
    assert [row.resource for row in reads] == ["value", "version", "history"]
    assert all(row.old_value is None and row.new_value is None for row in reads)


async def test_what_was_never_done(author: Person, session: AsyncSession) -> None:
    await author.put(DEV, {"n": 1}, headers={})
    await author.put(DEV, {"n": 1}, headers={"If-Match": '"1-x"'})
    await author.put(DEV, {"n": 2**60}, headers={"If-None-Match": "*"})
    await author.delete(DEV, headers={"If-None-Match": "*"})
    assert await rows(session) == []


async def test_approvals(author: Person, approver: Person, session: AsyncSession) -> None:
    await in_production(author, approver, {"n": 1})
    found = [row for row in await rows(session) if row.proposal_id is not None]
    assert [(row.action, row.user_id, row.approved_by) for row in found] == [
        ("PROPOSE", author.user_id, None),
        ("ACCESS", approver.user_id, None),
        ("APPROVE", approver.user_id, None),
        ("CREATE", author.user_id, approver.user_id),
    ]
    assert {row.checksum for row in found} == {checksum({"n": 1})}
    assert len({row.proposal_id for row in found}) == 1


async def test_secrets_are_taken_out(author: Person, session: AsyncSession) -> None:
    data = {"gateway": {"api_key": "k-123", "url": "https://example.com"}}
    await author.put(DEV, data)
    await author.propose(DEV, to_put({**data, "password": "p-456"}))
    assert (await author.get(DEV)).json()["data"] == data
    stored = str([(row.old_value, row.new_value) for row in await rows(session)])
    assert "https://example.com" in stored
    assert "k-123" not in stored
    assert "p-456" not in stored


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE configuration_audit SET user_id = 'nobody'",
        "DELETE FROM configuration_audit",
        "TRUNCATE configuration_audit",
        "UPDATE configuration_versions SET config_data = '{}'",
        "UPDATE configuration_versions SET approved_by = 'nobody'",
        "DELETE FROM configuration_versions",
        "UPDATE configuration_proposals SET checksum = repeat('0', 64)",
        "UPDATE configuration_proposals SET author = 'nobody'",
        "DELETE FROM configuration_proposals",
        "DELETE FROM configuration_proposal_views",
        "DELETE FROM configuration_deletions",
        "DELETE FROM audit_seals",
    ],
)
async def test_the_running_code_cannot_rewrite_the_past(
    session: AsyncSession, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text(statement))


@pytest.mark.parametrize("text_of_index", ["service_name, environment", '"timestamp"', "user_id"])
async def test_indexes(session: AsyncSession, text_of_index: str) -> None:
    statement = text("SELECT indexdef FROM pg_indexes WHERE tablename = 'configuration_audit'")
    found = [str(definition) for definition in await session.scalars(statement)]
    assert any(definition.endswith(f"({text_of_index})") for definition in found)
