"""The caller's own account: who it is, its password, its second factor."""

from typing import Any, Final

from fastapi import APIRouter, Request

from auth_service import account, enrolment
from auth_service.endpoints.common import (
    NO_STORE,
    READS,
    WRITES,
    Caller,
    FromClient,
    InRealm,
    person_of,
)
from auth_service.errors import NothingToConfirm, TooManyAttempts
from auth_service.passwords import WeakPassword
from auth_service.schemas import (
    ConfirmAnswer,
    ConfirmRequest,
    EnrolAnswer,
    EnrolRequest,
    Me,
    PasswordChange,
)
from chassis.errors import BadRequest, problems
from chassis.routing import StrictRoute

router = APIRouter(
    prefix="/auth", tags=["account"], route_class=StrictRoute, dependencies=[NO_STORE]
)

_EITHER: Final[dict[str, Any]] = {"security": [{}, {"bearer": []}]}


class PasswordNeeded(BadRequest):
    """Neither a challenge nor a password came with the request."""

    type = "password-needed"
    title = "Send the challenge of a login, or a token and the password"


@router.get("/me", responses=problems(*READS))
async def describe_me(realm: InRealm, caller: Caller) -> Me:
    """Who the access token speaks for, as things stand now."""
    return await account.describe_me(realm=realm, person=caller)


@router.post(
    "/password", status_code=204, responses=problems(*WRITES, WeakPassword, TooManyAttempts)
)
async def change_password(
    realm: InRealm, caller: Caller, client: FromClient, body: PasswordChange
) -> None:
    """Change the own password. Every other session ends."""
    await account.change_password(
        realm=realm,
        person=caller,
        current=body.current_password.get_secret_value(),
        new=body.new_password.get_secret_value(),
        client=client,
    )


@router.post("/mfa/enrol", responses=problems(*WRITES, TooManyAttempts), openapi_extra=_EITHER)
async def enrol(
    request: Request, realm: InRealm, client: FromClient, body: EnrolRequest
) -> EnrolAnswer:
    """Get a secret for an authenticator app.

    Either with the challenge of a login that says `enrolment_required`, or with an access token and
    the password, and a code of the present second factor if there is one.
    """
    if body.challenge is not None:
        return await enrolment.enrol_at_login(realm=realm, challenge=body.challenge, client=client)
    person = await person_of(request)
    if body.password is None:
        raise PasswordNeeded
    return await enrolment.enrol(
        realm=realm,
        person=person,
        password=body.password.get_secret_value(),
        code=body.code,
        client=client,
    )


@router.post(
    "/mfa/confirm",
    responses=problems(*WRITES, NothingToConfirm, TooManyAttempts),
    openapi_extra=_EITHER,
)
async def confirm(
    request: Request, realm: InRealm, client: FromClient, body: ConfirmRequest
) -> ConfirmAnswer:
    """Confirm the app's secret with its first code.

    Answers ten recovery codes, which are shown once, and, to a challenge, the tokens.
    """
    if body.challenge is not None:
        return await enrolment.confirm_at_login(
            realm=realm, challenge=body.challenge, code=body.code, client=client
        )
    person = await person_of(request)
    return await enrolment.confirm(realm=realm, person=person, code=body.code, client=client)
