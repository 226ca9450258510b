"""Writing: new content, old content again, and the end of content."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from config_service.approvals import token_hash, use_fault
from config_service.callers import Caller
from config_service.documents import Document
from config_service.errors import (
    ApprovalRefused,
    ApprovalRequired,
    ApprovalUnknown,
    ApprovalUsed,
)
from config_service.models import ConfigurationDeletion, Proposal
from config_service.models import ConfigurationVersion as Version
from config_service.plans import Plan, Wish
from config_service.preconditions import Precondition
from config_service.service.planning import make_plan
from config_service.service.reading import is_at
from config_service.service.trail import Action, note


class Approval(NamedTuple):
    """Who else stands behind a change; both None where none was needed."""

    proposal_id: UUID | None = None
    approved_by: str | None = None


async def write(
    session: AsyncSession,
    *,
    wish: Wish,
    precondition: Precondition,
    approval_token: str | None,
    caller: Caller,
) -> Version | ApprovalRefused:
    """Carry out a put or a rollback; a refused approval is returned, so that its trace stays.

    Raises what `make_plan` raises.
    """
    plan = await make_plan(session, wish=wish, precondition=precondition)
    approval = await _use_approval(session, plan, approval_token, caller)
    if isinstance(approval, ApprovalRefused):
        return approval
    document = plan.document
    if document is None:
        raise TypeError(f"{wish.action} writes no content")
    version = await _append(session, plan, document, approval, caller)
    await _note_change(session, plan, approval, caller, version=version.version_number)
    return version


async def delete(
    session: AsyncSession,
    *,
    wish: Wish,
    precondition: Precondition,
    approval_token: str | None,
    caller: Caller,
) -> ApprovalRefused | None:
    """End the active version; its address answers 404 then, and its history stays.

    A refused approval is returned, so that its trace stays. Raises what `make_plan` raises.
    """
    plan = await make_plan(session, wish=wish, precondition=precondition)
    approval = await _use_approval(session, plan, approval_token, caller)
    if isinstance(approval, ApprovalRefused):
        return approval
    await _retire(session, plan)
    session.add(
        ConfigurationDeletion(
            deletion_id=new_id(),
            **wish.address.columns(),
            version_number=plan.base_version,
            deleted_by=caller.user_id,
            change_ticket=wish.change_ticket,
            proposal_id=approval.proposal_id,
            approved_by=approval.approved_by,
        )
    )
    await _note_change(session, plan, approval, caller, version=plan.base_version)
    return None


async def _use_approval(
    session: AsyncSession, plan: Plan, token: str | None, caller: Caller
) -> Approval | ApprovalRefused:
    approval = await _claim(session, plan, token, caller)
    if isinstance(approval, ApprovalRefused):
        await _note_change(session, plan, Approval(), caller, refused=approval)
    return approval


async def _claim(
    session: AsyncSession, plan: Plan, token: str | None, caller: Caller
) -> Approval | ApprovalRefused:
    if token is None:
        needed = plan.wish.address.needs_approval
        return ApprovalRequired("Propose the change first.") if needed else Approval()
    digest = token_hash(token)
    proposal = await session.scalar(select(Proposal).where(Proposal.token_hash == digest))
    if proposal is None:
        return ApprovalUnknown("It was never issued, or a later one took its place.")
    now = datetime.now(UTC)
    fault = use_fault(proposal, plan, user_id=caller.user_id, now=now)
    if fault is not None:
        return fault
    # What was read may be old by now; this is what lets a token serve only once.
    used = await session.execute(
        update(Proposal)
        .where(Proposal.token_hash == digest, Proposal.used_at.is_(None))
        .values(used_at=now)
        .returning(Proposal.proposal_id, Proposal.approved_by)
    )
    row = used.one_or_none()
    return ApprovalUsed("An approval serves once.") if row is None else Approval(*row)


async def _append(
    session: AsyncSession, plan: Plan, document: Document, approval: Approval, caller: Caller
) -> Version:
    await _retire(session, plan)
    address = plan.wish.address
    newest = await session.scalar(select(func.max(Version.version_number)).where(is_at(address)))
    version = Version(
        version_id=new_id(),
        **address.columns(),
        version_number=(newest or 0) + 1,
        config_data=document.data,
        checksum=document.checksum,
        created_by=caller.user_id,
        restored_from=plan.wish.to_version,
        change_ticket=plan.wish.change_ticket,
        proposal_id=approval.proposal_id,
        approved_by=approval.approved_by,
    )
    session.add(version)
    await session.flush()
    return version


async def _retire(session: AsyncSession, plan: Plan) -> None:
    if plan.active is not None:
        plan.active.is_active = False
        await session.flush()


async def _note_change(
    session: AsyncSession,
    plan: Plan,
    approval: Approval,
    caller: Caller,
    *,
    version: int | None = None,
    refused: ApprovalRefused | None = None,
) -> None:
    await note(
        session,
        caller=caller,
        address=plan.wish.address,
        action=_action_of(plan),
        resource="value",
        refused=refused,
        old=None if plan.active is None else plan.active.config_data,
        new=None if plan.document is None else plan.document.data,
        change_ticket=plan.wish.change_ticket,
        checksum=plan.checksum,
        version=version,
        proposal_id=approval.proposal_id,
        approved_by=approval.approved_by,
    )


def _action_of(plan: Plan) -> Action:
    if plan.wish.action == "delete":
        return "DELETE"
    return "CREATE" if plan.active is None else "UPDATE"
