"""The rules of approval, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from config_service.approvals import approver_fault, new_token, state_of, token_hash, use_fault
from config_service.documents import read_document
from config_service.models import ConfigurationVersion, Proposal
from config_service.plans import Plan, Wish

from .factories import OTHER_TICKET, PRODUCTION, TICKET

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOCUMENT = read_document({"tons": 20})


def a_proposal(**changes: Any) -> Proposal:
    """One that was approved an hour ago."""
    members: dict[str, Any] = {
        "proposal_id": UUID(int=1),
        **PRODUCTION.columns(),
        "action": "put",
        "base_version": 3,
        "proposed_data": DOCUMENT.data,
        "checksum": DOCUMENT.checksum,
        "change_ticket": TICKET,
        "author": "asha",
        "expires_at": NOW + HOUR,
        "approved_by": "bala",
        "approved_at": NOW - HOUR,
        "token_expires_at": NOW + HOUR,
        **changes,
    }
    return Proposal(**members)


def a_plan(**changes: Any) -> Plan:
    members: dict[str, Any] = {
        "address": PRODUCTION,
        "action": "put",
        "change_ticket": TICKET,
        "data": {},
        **changes,
    }
    active = ConfigurationVersion(version_number=3, checksum="a" * 64)
    return Plan(wish=Wish(**members), active=active, document=DOCUMENT)


def fault_in_use(proposal: Proposal, plan: Plan, user_id: str = "asha") -> object:
    fault = use_fault(proposal, plan, user_id=user_id, now=NOW)
    return fault and (fault.status, fault.type, fault.extensions.get("differs"))


def test_approval_fits_what_was_approved() -> None:
    assert fault_in_use(a_proposal(), a_plan()) is None


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"checksum": "b" * 64}, ["content"]),
        ({"config_path": "limits/sand"}, ["path"]),
        ({"environment": "staging"}, ["path"]),
        ({"service_name": "payment"}, ["path"]),
        ({"action": "delete"}, ["action"]),
        ({"action": "rollback", "to_version": 1}, ["action", "target version"]),
        ({"base_version": 2}, ["base version"]),
        ({"change_ticket": OTHER_TICKET}, ["change ticket"]),
    ],
)
def test_approval_of_something_else(changes: dict[str, Any], differs: list[str]) -> None:
    expected = (409, "approval-mismatch", differs)
    assert fault_in_use(a_proposal(**changes), a_plan()) == expected


def test_approval_serves_once() -> None:
    used = a_proposal(used_at=NOW)
    assert fault_in_use(used, a_plan()) == (409, "approval-used", None)


@pytest.mark.parametrize("user_id", ["bala", "chitra"])
def test_approval_is_for_the_author(user_id: str) -> None:
    assert fault_in_use(a_proposal(), a_plan(), user_id) == (403, "approval-not-yours", None)


def test_approval_ends() -> None:
    assert fault_in_use(a_proposal(token_expires_at=NOW), a_plan()) == (
        409,
        "approval-expired",
        None,
    )


def test_approval_outlives_the_time_for_approving() -> None:
    assert fault_in_use(a_proposal(expires_at=NOW), a_plan()) is None


@pytest.mark.parametrize(
    ("changes", "wanted", "fault"),
    [
        ({}, {}, None),
        ({}, {"approver": "asha"}, "self-approval"),
        ({}, {"has_seen": False}, "proposal-unseen"),
        ({}, {"checksum": "b" * 64}, "proposal-differs"),
        ({"used_at": NOW}, {}, "proposal-closed"),
        ({"expires_at": NOW}, {}, "proposal-closed"),
    ],
)
def test_approver(changes: dict[str, Any], wanted: dict[str, Any], fault: str | None) -> None:
    members: dict[str, Any] = {
        "approver": "bala",
        "checksum": DOCUMENT.checksum,
        "has_seen": True,
        **wanted,
    }
    found = approver_fault(a_proposal(**changes), now=NOW, **members)
    assert (found and found.type) == fault


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"token_expires_at": None}, "open"),
        ({}, "approved"),
        ({"used_at": NOW}, "carried_out"),
        ({"token_expires_at": NOW}, "open"),
        ({"token_expires_at": NOW, "expires_at": NOW}, "expired"),
        ({"expires_at": NOW}, "approved"),
    ],
)
def test_state(changes: dict[str, Any], state: str) -> None:
    assert state_of(a_proposal(**changes), now=NOW) == state


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 for token in tokens)
    assert len(token_hash(tokens.pop())) == 32
