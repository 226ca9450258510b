"""Changes that take a second person: one proposes, another looks and approves."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from config_service.addresses import Address
from config_service.approvals import (
    APPROVAL_LIFETIME,
    PROPOSAL_LIFETIME,
    approver_fault,
    new_token,
    token_hash,
)
from config_service.callers import Caller
from config_service.documents import JsonObject
from config_service.errors import ApprovalRefused, ProposalNotFound
from config_service.models import ConfigurationVersion as Version
from config_service.models import Proposal, ProposalView
from config_service.plans import Wish
from config_service.preconditions import Precondition
from config_service.service.planning import make_plan
from config_service.service.reading import is_at
from config_service.service.trail import note


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal beside the content that it would replace."""

    proposal: Proposal
    base_data: JsonObject | None


@dataclass(frozen=True, slots=True)
class Issued:
    """An approval token, shown this once, and how long it is good for."""

    token: str
    expires_at: datetime


async def propose(
    session: AsyncSession,
    *,
    wish: Wish,
    precondition: Precondition,
    caller: Caller,
) -> Shown:
    """Keep a change as it would be made; raises what `make_plan` raises."""
    plan = await make_plan(session, wish=wish, precondition=precondition)
    proposal = Proposal(
        proposal_id=new_id(),
        **wish.address.columns(),
        action=wish.action,
        base_version=plan.base_version,
        to_version=wish.to_version,
        proposed_data=None if plan.document is None else plan.document.data,
        checksum=plan.checksum,
        change_ticket=wish.change_ticket,
        author=caller.user_id,
        expires_at=datetime.now(UTC) + PROPOSAL_LIFETIME,
    )
    session.add(proposal)
    await session.flush()
    base = None if plan.active is None else plan.active.config_data
    await note(
        session,
        caller=caller,
        address=wish.address,
        action="PROPOSE",
        resource="proposal",
        old=base,
        new=proposal.proposed_data,
        change_ticket=wish.change_ticket,
        checksum=plan.checksum,
        proposal_id=proposal.proposal_id,
    )
    return Shown(proposal, base)


async def read_proposal(
    session: AsyncSession, *, address: Address, proposal_id: UUID, caller: Caller
) -> Shown:
    """Show a proposal and remember to whom; raises `ProposalNotFound`."""
    proposal = await _find(session, address, proposal_id)
    base = await session.scalar(
        select(Version.config_data).where(
            is_at(address), Version.version_number == proposal.base_version
        )
    )
    await session.execute(
        insert(ProposalView)
        .values(proposal_id=proposal_id, viewer=caller.user_id)
        .on_conflict_do_nothing()
    )
    await _note_proposal(session, proposal, caller)
    return Shown(proposal, base)


async def approve(
    session: AsyncSession,
    *,
    address: Address,
    proposal_id: UUID,
    checksum: str,
    caller: Caller,
) -> Issued | ApprovalRefused:
    """Issue a token for a proposal that the caller has seen; an earlier token ends.

    A refusal is returned, so that its trace stays. Raises `ProposalNotFound`.
    """
    proposal = await _find(session, address, proposal_id, lock=True)
    now = datetime.now(UTC)
    view = await session.get(ProposalView, (proposal_id, caller.user_id))
    refused = approver_fault(
        proposal, approver=caller.user_id, checksum=checksum, has_seen=view is not None, now=now
    )
    await _note_proposal(session, proposal, caller, approves=True, refused=refused)
    if refused is not None:
        return refused
    issued = Issued(new_token(), now + APPROVAL_LIFETIME)
    proposal.approved_by = caller.user_id
    proposal.approved_at = now
    proposal.token_hash = token_hash(issued.token)
    proposal.token_expires_at = issued.expires_at
    return issued


async def _find(
    session: AsyncSession, address: Address, proposal_id: UUID, *, lock: bool = False
) -> Proposal:
    proposal = await session.get(Proposal, proposal_id, with_for_update=lock)
    if proposal is None or proposal.address != address:
        raise ProposalNotFound
    return proposal


async def _note_proposal(
    session: AsyncSession,
    proposal: Proposal,
    caller: Caller,
    *,
    approves: bool = False,
    refused: ApprovalRefused | None = None,
) -> None:
    await note(
        session,
        caller=caller,
        address=proposal.address,
        action="APPROVE" if approves else "ACCESS",
        resource="proposal",
        refused=refused,
        change_ticket=proposal.change_ticket,
        checksum=proposal.checksum,
        proposal_id=proposal.proposal_id,
    )
