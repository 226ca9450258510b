"""Proposals: what a second person looks at and approves."""

from uuid import UUID

from fastapi import APIRouter, Response

from chassis.db import Session
from chassis.errors import (
    Invalid,
    PayloadTooLarge,
    UnsupportedMediaType,
    problem_response,
    problems,
)
from chassis.idempotency import IdempotentRoute, KeyInFlight, KeyReused
from chassis.routing import StrictRoute
from config_service.endpoints.common import (
    PREFIX,
    READS,
    WRITES,
    Approver,
    At,
    IfMatch,
    Reader,
    Writer,
)
from config_service.errors import (
    ApprovalRefused,
    ConfigurationNotFound,
    ProposalNotFound,
    ProposalUnseen,
    SelfApproval,
    VersionNotFound,
)
from config_service.plans import Wish
from config_service.rendering import proposal_of
from config_service.schemas import (
    ApprovalOut,
    ApproveRequest,
    ProposalOut,
    ProposalRequest,
)
from config_service.service import proposing

router = APIRouter()
_repeatable = APIRouter(route_class=IdempotentRoute, tags=["approval"])
# An answer that holds a token must not be kept, so approving takes no idempotency key.
_plain = APIRouter(route_class=StrictRoute, tags=["approval"])


@_repeatable.post(
    PREFIX + "/proposals",
    status_code=201,
    responses=problems(*WRITES, ConfigurationNotFound, VersionNotFound, KeyInFlight, KeyReused),
    summary="Propose a change",
)
async def propose(
    caller: Writer,
    address: At,
    precondition: IfMatch,
    body: ProposalRequest,
    session: Session,
) -> ProposalOut:
    """Checked like the change itself, and kept for somebody else to look at."""
    shown = await proposing.propose(
        session,
        wish=Wish(
            address=address,
            action=body.action,
            change_ticket=body.change_ticket,
            data=body.data,
            to_version=body.to_version,
        ),
        precondition=precondition,
        caller=caller,
    )
    return proposal_of(shown)


@_plain.get(
    PREFIX + "/proposals/{proposal_id}",
    responses=problems(*READS, Invalid, ProposalNotFound),
    summary="Look at a proposal",
)
async def read_proposal(
    caller: Reader, address: At, proposal_id: UUID, session: Session
) -> ProposalOut:
    """The change beside what it would replace. Who wants to approve must have looked."""
    shown = await proposing.read_proposal(
        session, address=address, proposal_id=proposal_id, caller=caller
    )
    return proposal_of(shown)


@_plain.post(
    PREFIX + "/proposals/{proposal_id}/approve",
    response_model=ApprovalOut,
    responses=problems(
        *READS,
        Invalid,
        PayloadTooLarge,
        UnsupportedMediaType,
        ProposalNotFound,
        SelfApproval,
        ProposalUnseen,
    ),
    summary="Approve what you saw",
)
async def approve(
    caller: Approver,
    address: At,
    proposal_id: UUID,
    body: ApproveRequest,
    session: Session,
    response: Response,
) -> ApprovalOut | Response:
    """A token for the author, shown this once. Approving again ends the token before."""
    outcome = await proposing.approve(
        session,
        address=address,
        proposal_id=proposal_id,
        checksum=body.checksum,
        caller=caller,
    )
    if isinstance(outcome, ApprovalRefused):
        return problem_response(outcome)
    response.headers["Cache-Control"] = "no-store"
    return ApprovalOut(approval_token=outcome.token, expires_at=outcome.expires_at)


router.include_router(_repeatable)
router.include_router(_plain)
