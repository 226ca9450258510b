"""Who may approve what, and what an approval is good for. Rules without a database.

An approval is a token of 256 random bits that the approver gets and hands to the author; only its
hash is kept. It is bound to everything that the approver saw: address, action, content, the
version that is replaced, the ticket; and to the author.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final, Literal

from config_service.errors import (
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalNotYours,
    ApprovalRefused,
    ApprovalUsed,
    ProposalClosed,
    ProposalDiffers,
    ProposalUnseen,
    SelfApproval,
)
from config_service.models import Proposal
from config_service.plans import Plan

ProposalState = Literal["open", "approved", "carried_out", "expired"]

TOKEN_BYTES: Final = 32
PROPOSAL_LIFETIME: Final = timedelta(days=7)
APPROVAL_LIFETIME: Final = timedelta(hours=24)


def new_token() -> str:
    """A fresh approval token, URL-safe text."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def state_of(proposal: Proposal, *, now: datetime) -> ProposalState:
    """Where a proposal stands."""
    if proposal.used_at is not None:
        return "carried_out"
    if proposal.token_expires_at is not None and now < proposal.token_expires_at:
        return "approved"
    return "open" if now < proposal.expires_at else "expired"


def approver_fault(
    proposal: Proposal, *, approver: str, checksum: str, has_seen: bool, now: datetime
) -> ApprovalRefused | None:
    """Why this person can't approve the proposal now; None when they can."""
    if approver == proposal.author:
        return SelfApproval("Nobody approves a proposal of their own.")
    if proposal.used_at is not None or now >= proposal.expires_at:
        return ProposalClosed("It was carried out, or nobody approved it in time.")
    if not has_seen:
        return ProposalUnseen("Get the proposal, and approve what you saw.")
    if checksum != proposal.checksum:
        return ProposalDiffers("The checksum that you state is not the one of this proposal.")
    return None


def use_fault(
    proposal: Proposal, plan: Plan, *, user_id: str, now: datetime
) -> ApprovalRefused | None:
    """Why the proposal's approval doesn't allow this write; None when it does."""
    if proposal.used_at is not None:
        return ApprovalUsed("An approval serves once.")
    if user_id != proposal.author:
        return ApprovalNotYours("Only who proposed a change carries it out.")
    differs = _differences(proposal, plan)
    if differs:
        return ApprovalMismatch(differs)
    if proposal.token_expires_at is None or now >= proposal.token_expires_at:
        return ApprovalExpired("Propose the change again.")
    return None


def _differences(proposal: Proposal, plan: Plan) -> list[str]:
    pairs = {
        "path": (proposal.address, plan.wish.address),
        "action": (proposal.action, plan.wish.action),
        "base version": (proposal.base_version, plan.base_version),
        "target version": (proposal.to_version, plan.wish.to_version),
        "content": (proposal.checksum, plan.checksum),
        "change ticket": (proposal.change_ticket, plan.wish.change_ticket),
    }
    return [name for name, (approved, wanted) in pairs.items() if approved != wanted]
