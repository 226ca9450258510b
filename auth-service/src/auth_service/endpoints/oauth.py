"""OAuth 2.0 for services, and what verifiers need to know."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from auth_service import services
from auth_service.endpoints.common import NO_STORE, FromClient, InRealm
from auth_service.errors import TooManyAttempts
from auth_service.rotation import fresh_keys
from auth_service.schemas import Discovery, Jwks, ServiceTokenAnswer
from chassis.db import DatabaseUnavailable
from chassis.errors import PayloadTooLarge, UnsupportedMediaType, problems
from chassis.routing import StrictRoute
from chassis.tokens import ALGORITHM

router = APIRouter(tags=["oauth"], route_class=StrictRoute)

_FORM: Final = "application/x-www-form-urlencoded"
_TOKEN_FORM: Final[dict[str, Any]] = {
    "security": [{}, {"client": []}],
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "const": services.GRANT_TYPE},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                    },
                }
            }
        },
    },
}


@router.post(
    "/auth/token",
    dependencies=[NO_STORE],
    responses=problems(
        services.InvalidTokenRequest,
        services.InvalidClient,
        TooManyAttempts,
        PayloadTooLarge,
        UnsupportedMediaType,
        DatabaseUnavailable,
    ),
    openapi_extra=_TOKEN_FORM,
)
async def token(request: Request, realm: InRealm, client: FromClient) -> ServiceTokenAnswer:
    """A token for a service that acts by itself (RFC 6749 section 4.4).

    The credentials come in HTTP Basic or in the form.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise UnsupportedMediaType(f"Send the form as {_FORM}.")
    wanted = services.read_token_request(
        await request.body(), request.headers.getlist("authorization")
    )
    return await services.token_for_service(realm=realm, request=wanted, client=client)


@router.get("/auth/jwks.json")
async def jwks(realm: InRealm, response: Response) -> Jwks:
    """The public keys that tokens are signed with, also those that sign soon or did lately."""
    _cacheable(response, realm.settings.jwks_max_age_seconds)
    return Jwks(keys=(await fresh_keys(realm)).published())


@router.get("/.well-known/openid-configuration")
async def discovery(realm: InRealm, response: Response) -> Discovery:
    """Where things are (RFC 8414)."""
    _cacheable(response, realm.settings.jwks_max_age_seconds)
    base = realm.settings.base_url
    return Discovery(
        issuer=realm.settings.token_issuer,
        jwks_uri=f"{base}/auth/jwks.json",
        token_endpoint=f"{base}/auth/token",
        response_types_supported=[],
        grant_types_supported=[services.GRANT_TYPE],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=[ALGORITHM],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
    )


def _cacheable(response: Response, seconds: int) -> None:
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
