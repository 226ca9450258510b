"""PUT, DELETE and rollback: each names the version it was made from, and a ticket."""

from fastapi import APIRouter, Response

from chassis.db import Session
from chassis.errors import problem_response, problems
from chassis.idempotency import IdempotentRoute, KeyInFlight, KeyReused
from chassis.routing import StrictRoute
from config_service.endpoints.common import (
    APPROVED,
    ETAG,
    PREFIX,
    WRITES,
    At,
    IfMatch,
    Writer,
    answer,
)
from config_service.errors import ApprovalRefused, ConfigurationNotFound, VersionNotFound
from config_service.models import ConfigurationVersion as Version
from config_service.plans import Wish
from config_service.rendering import content_of
from config_service.schemas import Configuration, DeleteRequest, PutRequest, RollbackRequest
from config_service.service import writing

router = APIRouter(route_class=StrictRoute, tags=["configuration"])
narrower = APIRouter(route_class=IdempotentRoute, tags=["history"])

_WRITTEN = {200: {"headers": ETAG}}


@narrower.post(
    PREFIX + "/rollback",
    response_model=Configuration,
    responses=_WRITTEN | problems(*WRITES, *APPROVED, VersionNotFound, KeyInFlight, KeyReused),
    summary="Make old content active again",
)
async def roll_back(
    caller: Writer,
    address: At,
    precondition: IfMatch,
    body: RollbackRequest,
    session: Session,
    response: Response,
) -> Configuration | Response:
    """A new version with the content of `to_version`. Also brings back what was deleted."""
    wish = Wish(
        address=address,
        action="rollback",
        change_ticket=body.change_ticket,
        to_version=body.to_version,
    )
    written = await writing.write(
        session,
        wish=wish,
        precondition=precondition,
        approval_token=body.approval_token,
        caller=caller,
    )
    return _rendered(written, response)


@router.put(
    PREFIX,
    response_model=Configuration,
    responses=_WRITTEN | problems(*WRITES, *APPROVED),
    summary="Update configuration",
)
async def put_configuration(
    caller: Writer,
    address: At,
    precondition: IfMatch,
    body: PutRequest,
    session: Session,
    response: Response,
) -> Configuration | Response:
    """A new version, active at once. The one before stays in the history."""
    wish = Wish(address=address, action="put", change_ticket=body.change_ticket, data=body.data)
    written = await writing.write(
        session,
        wish=wish,
        precondition=precondition,
        approval_token=body.approval_token,
        caller=caller,
    )
    return _rendered(written, response)


@router.delete(
    PREFIX,
    status_code=204,
    response_model=None,
    responses=problems(*WRITES, *APPROVED, ConfigurationNotFound),
    summary="End a configuration",
)
async def delete_configuration(
    caller: Writer,
    address: At,
    precondition: IfMatch,
    body: DeleteRequest,
    session: Session,
) -> Response:
    """Nothing is active here afterwards; the history stays, and a rollback brings it back.

    Ticket and approval stand in the body, since addresses end up in logs.
    """
    wish = Wish(address=address, action="delete", change_ticket=body.change_ticket)
    refused = await writing.delete(
        session,
        wish=wish,
        precondition=precondition,
        approval_token=body.approval_token,
        caller=caller,
    )
    return Response(status_code=204) if refused is None else problem_response(refused)


def _rendered(written: Version | ApprovalRefused, response: Response) -> Configuration | Response:
    # A refused approval is an answer and no exception: its audit row must be committed.
    if isinstance(written, ApprovalRefused):
        return problem_response(written)
    return answer(response, content_of(written))
