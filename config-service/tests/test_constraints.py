"""What the database refuses, whatever the code above it does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from config_service.models import (
    ConfigurationAudit,
    ConfigurationDeletion,
    ConfigurationVersion,
    Proposal,
    ProposalView,
)

from .factories import DEV, PRODUCTION, TICKET

CHECKSUM = "0" * 64


def a_version(**changes: Any) -> ConfigurationVersion:
    members: dict[str, Any] = {
        "version_id": new_id(),
        **DEV.columns(),
        "version_number": 1,
        "config_data": {},
        "checksum": CHECKSUM,
        "created_by": "asha",
        "change_ticket": TICKET,
        **changes,
    }
    return ConfigurationVersion(**members)


def a_deletion(**changes: Any) -> ConfigurationDeletion:
    members: dict[str, Any] = {
        "deletion_id": new_id(),
        **DEV.columns(),
        "version_number": 1,
        "deleted_by": "asha",
        "change_ticket": TICKET,
        **changes,
    }
    return ConfigurationDeletion(**members)


def a_proposal(**changes: Any) -> Proposal:
    members: dict[str, Any] = {
        "proposal_id": new_id(),
        **PRODUCTION.columns(),
        "action": "put",
        "base_version": 0,
        "proposed_data": {},
        "checksum": CHECKSUM,
        "change_ticket": TICKET,
        "author": "asha",
        "expires_at": datetime.now(UTC),
        **changes,
    }
    return Proposal(**members)


def approval(by: str, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "approved_by": by,
        "approved_at": now,
        "token_hash": bytes(32),
        "token_expires_at": now + timedelta(hours=1),
        **changes,
    }


def an_audit_row(**changes: Any) -> ConfigurationAudit:
    members: dict[str, Any] = {
        "audit_id": new_id(),
        **DEV.columns(),
        "action": "ACCESS",
        "resource": "value",
        "user_id": "asha",
        **changes,
    }
    return ConfigurationAudit(**members)


async def add(session: AsyncSession, *rows: object) -> None:
    for row in rows:
        session.add(row)
        await session.flush()


async def refuse(session: AsyncSession, row: object, constraint: str) -> None:
    session.add(row)
    with pytest.raises(IntegrityError, match=constraint):
        await session.flush()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"service_name": "billing"}, "service_name"),
        ({"environment": "test"}, "environment"),
        ({"config_path": "../etc"}, "config_path"),
        ({"config_path": "a//b"}, "config_path"),
        ({"version_number": 0}, "version_number"),
        ({"version_number": 2}, "previous_version"),
        ({"checksum": "0" * 63}, "checksum"),
        ({"checksum": "X" * 64}, "checksum"),
        ({"config_data": []}, "config_data"),
        ({"config_data": 7}, "config_data"),
        ({"change_ticket": "CHG-1"}, "change_ticket"),
        ({"restored_from": 7}, "restored_from"),
        ({"approved_by": "bala"}, "approval"),
        ({"environment": "production"}, "production_approved"),
        ({"approved_by": "asha", "proposal_id": new_id()}, "second_person"),
        ({"approved_by": "bala", "proposal_id": new_id()}, "approval"),
    ],
)
async def test_version(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    await refuse(session, a_version(**changes), constraint)


async def test_one_active_version(session: AsyncSession) -> None:
    await add(session, a_version())
    await refuse(session, a_version(version_number=2), "uq_configuration_versions_active")


async def test_many_inactive_versions(session: AsyncSession) -> None:
    await add(session, *(a_version(version_number=n, is_active=False) for n in (1, 2, 3)))


async def test_one_version_of_a_number(session: AsyncSession) -> None:
    await add(session, a_version())
    await refuse(session, a_version(is_active=False), "uq_configuration_versions_number")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"version_number": 2}, "version_number"),
        ({"environment": "production"}, "production_approved"),
        ({"approved_by": "asha", "proposal_id": new_id()}, "second_person"),
        ({"change_ticket": ""}, "change_ticket"),
    ],
)
async def test_deletion(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    await add(session, a_version(is_active=False))
    await refuse(session, a_deletion(**changes), constraint)


async def test_one_deletion_of_a_version(session: AsyncSession) -> None:
    await add(session, a_version(is_active=False), a_deletion())
    await refuse(session, a_deletion(), "uq_configuration_deletions_number")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"action": "erase"}, "action"),
        ({"action": "delete"}, "proposed_data"),
        ({"proposed_data": None}, "proposed_data"),
        ({"action": "rollback"}, "to_version"),
        ({"to_version": 1}, "to_version"),
        ({"base_version": -1}, "base_version"),
        (approval("asha"), "second_person"),
        (approval("bala"), "view"),
        (approval("bala", token_hash=None), "approval"),
        (approval("bala", token_hash=b"short"), "token_hash"),
        ({"used_at": datetime.now(UTC)}, "used_if_approved"),
    ],
)
async def test_proposal(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    await refuse(session, a_proposal(**changes), constraint)


async def test_who_approves_has_seen(session: AsyncSession) -> None:
    proposal = a_proposal()
    await add(session, proposal, ProposalView(proposal_id=proposal.proposal_id, viewer="bala"))
    for name, value in approval("bala").items():
        setattr(proposal, name, value)
    await session.flush()


async def test_approval_serves_one_version(session: AsyncSession) -> None:
    proposal = a_proposal()
    await add(session, proposal, ProposalView(proposal_id=proposal.proposal_id, viewer="bala"))
    for name, value in approval("bala").items():
        setattr(proposal, name, value)
    await session.flush()
    approved = {"proposal_id": proposal.proposal_id, "approved_by": "bala"}
    await add(session, a_version(**PRODUCTION.columns(), is_active=False, **approved))
    again = a_version(**PRODUCTION.columns(), version_number=2, **approved)
    await refuse(session, again, "uq_configuration_versions_proposal_id")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"action": "PEEK"}, "action"),
        ({"outcome": "failed", "reason": "x"}, "outcome"),
        ({"outcome": "denied"}, "reason"),
        ({"reason": "x"}, "reason"),
    ],
)
async def test_audit_row(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    await refuse(session, an_audit_row(**changes), constraint)
