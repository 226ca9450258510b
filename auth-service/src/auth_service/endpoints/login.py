"""Logging in, staying logged in, logging out."""

from fastapi import APIRouter

from auth_service import login, refresh, second_factor
from auth_service.endpoints.common import BODY, NO_STORE, FromClient, InRealm
from auth_service.errors import (
    AccountSuspended,
    EnrolmentRequired,
    InvalidChallenge,
    InvalidCredentials,
    InvalidRefreshToken,
    TooManyAttempts,
)
from auth_service.schemas import (
    ChallengeAnswer,
    CodeRequest,
    LoginRequest,
    RefreshTokenRequest,
    TokenAnswer,
)
from chassis.errors import problems
from chassis.routing import StrictRoute

router = APIRouter(prefix="/auth", tags=["login"], route_class=StrictRoute, dependencies=[NO_STORE])

_GRANT = (*BODY, AccountSuspended, TooManyAttempts)


@router.post("/login", responses=problems(*_GRANT, InvalidCredentials))
async def log_in(
    realm: InRealm, client: FromClient, body: LoginRequest
) -> TokenAnswer | ChallengeAnswer:
    """Log in with username and password.

    Answers tokens; or a challenge, where a second factor is owed. With `enrolment_required` the
    challenge is for `/auth/mfa/enrol` and `/auth/mfa/confirm`, else for `/auth/mfa`.
    """
    return await login.log_in(
        realm=realm,
        username=body.username,
        password=body.password.get_secret_value(),
        client=client,
    )


@router.post("/mfa", responses=problems(*_GRANT, InvalidChallenge, EnrolmentRequired))
async def answer_challenge(realm: InRealm, client: FromClient, body: CodeRequest) -> TokenAnswer:
    """Answer a challenge with a code of the authenticator app or a recovery code.

    A challenge takes five tries and lives five minutes. A code is never good twice.
    """
    return await second_factor.answer_challenge(
        realm=realm, challenge=body.challenge, code=body.code, client=client
    )


@router.post("/refresh", responses=problems(*_GRANT, InvalidRefreshToken))
async def refresh_tokens(
    realm: InRealm, client: FromClient, body: RefreshTokenRequest
) -> TokenAnswer:
    """Take new tokens for a refresh token, which is used up by it.

    The same client, asking again within 10 seconds, gets the same refresh token again: the device
    of `X-Device-Id` if it is sent, else the address. Any other reuse ends the session.
    """
    return await refresh.refresh(realm=realm, token=body.refresh_token, client=client)


@router.post("/logout", status_code=204, responses=problems(*BODY))
async def log_out(realm: InRealm, client: FromClient, body: RefreshTokenRequest) -> None:
    """End the session of a refresh token; one that is over or unknown is no error."""
    await refresh.log_out(realm=realm, token=body.refresh_token, client=client)
