"""Production: nothing changes without a second person who saw exactly this change."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.idempotency import idempotency_records
from chassis.testing.issuer import Issuer
from config_service.addresses import Address
from config_service.models import Base, ConfigurationAudit
from config_service.service import proposing

from .factories import (
    DEV,
    OTHER_TICKET,
    PRICING,
    PRODUCTION,
    Person,
    approved,
    error_type,
    in_production,
    pricing,
    to_delete,
    to_put,
    to_roll_back,
    url_of,
)

OLD = {"tons": 10}
NEW = {"tons": 20}


@pytest.fixture
def stranger(client: httpx.AsyncClient, issuer: Issuer) -> Person:
    return Person(client, issuer)


async def active_data(person: Person) -> object:
    found = await person.get(PRODUCTION)
    return found.json()["data"] if found.is_success else None


async def denials(session: AsyncSession) -> list[tuple[str, str | None]]:
    """Action and reason of what the audit says was refused."""
    audit = ConfigurationAudit
    statement = select(audit.action, audit.reason).where(audit.outcome == "denied")
    return [(action, reason) for action, reason in await session.execute(statement)]


async def test_without_approval_nothing_changes(author: Person, session: AsyncSession) -> None:
    refused = await author.put(PRODUCTION, NEW)
    assert (refused.status_code, error_type(refused)) == (403, "approval-required")
    assert await active_data(author) is None
    assert await denials(session) == [("CREATE", "approval-required")]


async def test_creating(author: Person, approver: Person) -> None:
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    written = await author.put(PRODUCTION, NEW, token=token)
    assert written.status_code == 200
    assert await active_data(author) == NEW
    (entry,) = (await author.get(PRODUCTION, "history")).json()["items"]
    assert (entry["created_by"], entry["approved_by"]) == (author.user_id, approver.user_id)


async def test_deleting(author: Person, approver: Person, session: AsyncSession) -> None:
    await in_production(author, approver, OLD)
    assert error_type(await author.delete(PRODUCTION)) == "approval-required"
    token = await approved(author, approver, PRODUCTION, to_delete())
    assert error_type(await author.put(PRODUCTION, NEW, token=token)) == "approval-mismatch"
    assert await active_data(author) == OLD
    assert (await author.delete(PRODUCTION, token=token)).status_code == 204
    assert await active_data(author) is None
    (entry,) = (await author.get(PRODUCTION, "history")).json()["items"]
    assert entry["deletion"]["approved_by"] == approver.user_id
    assert ("DELETE", "approval-required") in await denials(session)


async def test_rolling_back(author: Person, approver: Person) -> None:
    await in_production(author, approver, OLD)
    await in_production(author, approver, NEW)
    assert error_type(await author.roll_back(PRODUCTION, 1)) == "approval-required"
    token = await approved(author, approver, PRODUCTION, to_roll_back(1))
    # The same content under another name is another change.
    assert error_type(await author.put(PRODUCTION, OLD, token=token)) == "approval-mismatch"
    assert error_type(await author.roll_back(PRODUCTION, 2, token=token)) == "approval-mismatch"
    assert (await author.roll_back(PRODUCTION, 1, token=token)).status_code == 200
    assert await active_data(author) == OLD


async def test_proposal_shows_the_change_beside_what_it_replaces(
    author: Person, approver: Person
) -> None:
    await in_production(author, approver, OLD)
    proposed = await author.propose(PRODUCTION, to_put(NEW))
    assert proposed.status_code == 201
    shown = (await approver.look_at(PRODUCTION, proposed.json())).json()
    assert shown == proposed.json()
    assert (shown["data"], shown["base_data"], shown["base_version"]) == (NEW, OLD, "1")
    assert (shown["action"], shown["state"], shown["author"]) == ("put", "open", author.user_id)
    assert shown["approved_by"] is None


async def test_proposal_of_prices_says_where_its_effect_is_told(
    author: Person, approver: Person
) -> None:
    prices = Address("booking", "production", "pricing")
    await in_production(author, approver, pricing(), prices)
    shown = {
        action: (await author.propose(address, wish)).json()["dry_run"]
        for action, address, wish in (
            ("put", prices, to_put(pricing(base_rate=200))),
            ("rollback", prices, to_roll_back(1)),
            ("delete", prices, to_delete()),
            ("other", PRODUCTION, to_put(NEW)),
        )
    }
    dry_run = "/v1/pricing/dry-run"
    assert shown == {"put": dry_run, "rollback": dry_run, "delete": None, "other": None}


async def test_state_of_a_proposal(author: Person, approver: Person) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await approver.look_at(PRODUCTION, proposal)
    token = (await approver.approve(PRODUCTION, proposal)).json()["approval_token"]
    assert (await author.look_at(PRODUCTION, proposal)).json()["state"] == "approved"
    await author.put(PRODUCTION, NEW, token=token)
    assert (await author.look_at(PRODUCTION, proposal)).json()["state"] == "carried_out"


async def test_proposal_is_checked_as_the_change_will_be(author: Person) -> None:
    production = PRICING._replace(environment="production")
    invalid = await author.propose(production, to_put(pricing(base_rate=0)))
    assert (invalid.status_code, error_type(invalid)) == (422, "invalid-configuration")
    missing = await author.propose(production, to_roll_back(1))
    assert (missing.status_code, error_type(missing)) == (404, "version-not-found")
    nothing = await author.propose(production, to_delete())
    assert (nothing.status_code, error_type(nothing)) == (404, "configuration-not-found")
    stale = await author.propose(production, to_put(pricing()), headers={"If-Match": '"1-x"'})
    assert (stale.status_code, error_type(stale)) == (412, "configuration-changed")


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"action": "put", "change_ticket": "CHG-00000001"},
        {"action": "erase", "change_ticket": "CHG-00000001"},
        {"action": "delete", "change_ticket": "CHG-00000001", "data": {}},
        {"action": "rollback", "change_ticket": "CHG-00000001", "to_version": 0},
        {"action": "rollback", "change_ticket": "CHG-00000001", "to_version": "1"},
        {"action": "delete"},
        {"action": "delete", "change_ticket": "CHG-00000001", "to_version": 1},
        {"action": "rollback", "change_ticket": "CHG-00000001"},
        {"action": "put", "change_ticket": "CHG-00000001", "data": {}, "to_version": 1},
    ],
)
async def test_proposal_that_is_none(author: Person, wish: dict[str, Any]) -> None:
    refused = await author.propose(PRODUCTION, wish)
    assert refused.status_code == 422
    error_type(refused)


async def test_fault_in_a_proposal_is_pointed_at(author: Person) -> None:
    refused = await author.propose(PRODUCTION, to_put(NEW, ticket="none"))
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/change_ticket"]


async def test_token_serves_once(author: Person, approver: Person, session: AsyncSession) -> None:
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    first = await author.put(PRODUCTION, NEW, token=token)
    assert first.status_code == 200
    again = await author.put(PRODUCTION, NEW, token=token)
    assert (again.status_code, error_type(again)) == (409, "approval-used")
    await in_production(author, approver, OLD)
    later = await author.put(PRODUCTION, NEW, token=token)
    assert (later.status_code, error_type(later)) == (409, "approval-used")
    assert await active_data(author) == OLD
    assert await denials(session) == [("UPDATE", "approval-used")] * 2


@pytest.mark.parametrize(
    ("data", "ticket", "differs"),
    [({"tons": 21}, "CHG-20260001", ["content"]), (NEW, OTHER_TICKET, ["change ticket"])],
)
async def test_token_for_another_change(
    author: Person, approver: Person, data: object, ticket: str, differs: list[str]
) -> None:
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    refused = await author.put(PRODUCTION, data, ticket=ticket, token=token)
    assert (refused.status_code, error_type(refused)) == (409, "approval-mismatch")
    assert refused.json()["differs"] == differs
    assert await active_data(author) is None
    # It wasn't used up by the attempt.
    assert (await author.put(PRODUCTION, NEW, token=token)).status_code == 200


async def test_token_for_another_place(author: Person, approver: Person) -> None:
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    for address in (
        PRODUCTION._replace(path="limits"),
        PRODUCTION._replace(service="payment"),
        DEV,
    ):
        refused = await author.put(address, NEW, token=token)
        assert (refused.status_code, error_type(refused)) == (409, "approval-mismatch")
        assert refused.json()["differs"] == ["path"]
        assert (await author.get(address)).status_code == 404


async def test_token_after_somebody_else_wrote(author: Person, approver: Person) -> None:
    before = await author.seen(PRODUCTION)
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    await in_production(author, approver, OLD)
    stale = await author.put(PRODUCTION, NEW, token=token, headers=before)
    assert (stale.status_code, error_type(stale)) == (412, "configuration-changed")
    fresh = await author.put(PRODUCTION, NEW, token=token)
    assert (fresh.status_code, error_type(fresh)) == (409, "approval-mismatch")
    assert fresh.json()["differs"] == ["base version"]
    assert await active_data(author) == OLD


async def test_token_of_somebody_else(author: Person, approver: Person, stranger: Person) -> None:
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    for thief in (stranger, approver):
        refused = await thief.put(PRODUCTION, NEW, token=token)
        assert (refused.status_code, error_type(refused)) == (403, "approval-not-yours")
    assert await active_data(author) is None


@pytest.mark.parametrize("token", ["", "x" * 43, "ट"])
async def test_token_that_was_never_issued(author: Person, token: str) -> None:
    refused = await author.put(PRODUCTION, NEW, token=token)
    assert (refused.status_code, error_type(refused)) == (403, "approval-unknown")
    assert await active_data(author) is None


async def test_token_that_came_too_late(
    author: Person, approver: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposing, "APPROVAL_LIFETIME", timedelta(0))
    token = await approved(author, approver, PRODUCTION, to_put(NEW))
    refused = await author.put(PRODUCTION, NEW, token=token)
    assert (refused.status_code, error_type(refused)) == (409, "approval-expired")
    assert await active_data(author) is None


async def test_token_is_checked_where_none_is_needed(author: Person, approver: Person) -> None:
    assert error_type(await author.put(DEV, NEW, token="x")) == "approval-unknown"
    token = await approved(author, approver, DEV, to_put(NEW))
    assert (await author.put(DEV, NEW, token=token)).status_code == 200


async def test_nobody_approves_their_own_proposal(author: Person, session: AsyncSession) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await author.look_at(PRODUCTION, proposal)
    refused = await author.approve(PRODUCTION, proposal)
    assert (refused.status_code, error_type(refused)) == (403, "self-approval")
    assert await denials(session) == [("APPROVE", "self-approval")]


async def test_nobody_approves_unseen(author: Person, approver: Person, stranger: Person) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await stranger.look_at(PRODUCTION, proposal)
    refused = await approver.approve(PRODUCTION, proposal)
    assert (refused.status_code, error_type(refused)) == (409, "proposal-unseen")


async def test_nobody_approves_something_else(author: Person, approver: Person) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await approver.look_at(PRODUCTION, proposal)
    refused = await approver.approve(PRODUCTION, proposal, checksum="0" * 64)
    assert (refused.status_code, error_type(refused)) == (409, "proposal-differs")
    for checksum in ("", "X" * 64):
        url = url_of(PRODUCTION, "proposals", proposal["proposal_id"], "approve")
        assert (await approver.send("POST", url, {"checksum": checksum})).status_code == 422


async def test_nobody_approves_too_late(
    author: Person, approver: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposing, "PROPOSAL_LIFETIME", timedelta(0))
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await approver.look_at(PRODUCTION, proposal)
    refused = await approver.approve(PRODUCTION, proposal)
    assert (refused.status_code, error_type(refused)) == (409, "proposal-closed")
    assert (await author.look_at(PRODUCTION, proposal)).json()["state"] == "expired"


async def test_approving_again_ends_the_token_before(
    author: Person, approver: Person, stranger: Person
) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    tokens: list[str] = []
    for person in (approver, approver, stranger):
        await person.look_at(PRODUCTION, proposal)
        tokens.append((await person.approve(PRODUCTION, proposal)).json()["approval_token"])
    for old in tokens[:2]:
        assert error_type(await author.put(PRODUCTION, NEW, token=old)) == "approval-unknown"
    assert (await author.put(PRODUCTION, NEW, token=tokens[2])).status_code == 200
    closed = await approver.approve(PRODUCTION, proposal)
    assert (closed.status_code, error_type(closed)) == (409, "proposal-closed")
    (entry,) = (await author.get(PRODUCTION, "history")).json()["items"]
    assert entry["approved_by"] == stranger.user_id


async def test_answer_with_a_token_is_never_kept(author: Person, approver: Person) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await approver.look_at(PRODUCTION, proposal)
    assert (await approver.approve(PRODUCTION, proposal)).headers["cache-control"] == "no-store"


async def test_proposal_under_another_address(author: Person, approver: Person) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    for address in (DEV, PRODUCTION._replace(path="limits")):
        for answer in (
            await approver.look_at(address, proposal),
            await approver.approve(address, proposal),
        ):
            assert (answer.status_code, error_type(answer)) == (404, "proposal-not-found")


async def test_proposing_again_with_the_same_key_is_one_proposal(author: Person) -> None:
    headers = {"If-None-Match": "*", "Idempotency-Key": "k1"}
    first = await author.propose(PRODUCTION, to_put(NEW), headers=headers)
    again = await author.propose(PRODUCTION, to_put(NEW), headers=headers)
    assert first.status_code == 201
    assert again.content == first.content
    other = await author.propose(PRODUCTION, to_put(OLD), headers=headers)
    assert (other.status_code, error_type(other)) == (422, "idempotency-key-reused")


async def test_approving_needs_its_own_permission(
    author: Person, client: httpx.AsyncClient, issuer: Issuer
) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    url = url_of(PRODUCTION, "proposals", proposal["proposal_id"], "approve")
    body = {"checksum": proposal["checksum"]}
    assert (await client.post(url, json=body)).status_code == 401
    bearer = issuer.bearer(permissions=["config:read:all", "config:write:all"])
    refused = await client.post(url, json=body, headers=bearer)
    assert (refused.status_code, error_type(refused)) == (403, "permission-missing")


async def test_token_is_nowhere_in_the_database(
    author: Person, approver: Person, session: AsyncSession
) -> None:
    proposal = (await author.propose(PRODUCTION, to_put(NEW))).json()
    await approver.look_at(PRODUCTION, proposal)
    url = url_of(PRODUCTION, "proposals", proposal["proposal_id"], "approve")
    body = {"checksum": proposal["checksum"]}
    issued = await approver.send("POST", url, body, {"Idempotency-Key": "k1"})
    token: str = issued.json()["approval_token"]
    await author.put(PRODUCTION, NEW, token=token)
    for table in (*Base.metadata.tables.values(), idempotency_records):
        for row in await session.execute(select(table)):
            assert token not in str(row)
