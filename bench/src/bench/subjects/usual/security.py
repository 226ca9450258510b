"""Who calls: python-jose checks the token of every request, with a key that was built once."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JOSEError, jwt  # noqa: TID251 - the usual way calls it, and keeps no token

from chassis.access import AccessPolicy
from chassis.errors import Forbidden, Unauthorized
from chassis.tokens import ALGORITHM, KeySource

REQUIRED: Final = {f"require_{claim}": True for claim in ("aud", "exp", "iat", "iss", "jti", "sub")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipper:
    """Who may book."""

    subject: str
    tenant_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCheck:
    """Checks access tokens."""

    keys: KeySource
    policy: AccessPolicy
    issuer: str
    audience: str

    async def shipper(self, token: str) -> Shipper:
        """Whom the token lets book; raises `Unauthorized` and `Forbidden`."""
        try:
            claims = await self._claims(token)
            shipper = Shipper(subject=claims["sub"], tenant_id=UUID(claims["tenant_id"]))
            permissions = tuple(cast("list[str]", claims["permissions"]))
        except (JOSEError, KeyError, ValueError, TypeError) as error:
            raise Unauthorized from error
        if self.policy.scope_of(permissions, "booking", "create") is None:
            raise Forbidden
        return shipper

    async def _claims(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token)["kid"]
        key = self.keys.get(kid)
        if key is None:
            await self.keys.refresh()
            key = self.keys.get(kid)
        if key is None:
            raise Unauthorized
        return jwt.decode(
            token,
            cast(Any, key),
            algorithms=[ALGORITHM],
            issuer=self.issuer,
            audience=self.audience,
            options=REQUIRED,
        )


async def current_shipper(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> Shipper:
    """The caller, by the application's `TokenCheck`."""
    check = cast(TokenCheck, request.app.state.token_check)
    return await check.shipper(credentials.credentials)


CurrentShipper = Annotated[Shipper, Depends(current_shipper)]
