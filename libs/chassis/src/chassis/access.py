"""Who may do what: permissions, scopes, and the dependency by which an endpoint asks for them.

A permission is `resource:action[:qualifier]`. The qualifier is a scope (own, assigned, tenant,
all) or the name of a field, in which case the scope is `assigned`. `*` stands for any resource or
any action. A permission without a qualifier has the scope that the platform's table gives to
exactly that string; one that the table doesn't know grants nothing.

    async def read(grant: Annotated[Grant, requires("booking", "read")]) -> ...
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from chassis.errors import Forbidden, Unauthorized
from chassis.headers import header_values
from chassis.tokens import Principal, TokenVerifier

_PRINCIPAL_KEY = "chassis.principal"


class Scope(enum.Enum):
    """Whose rows a permission reaches, narrowest first."""

    OWN = "own"
    ASSIGNED = "assigned"
    TENANT = "tenant"
    ALL = "all"


_RANK = {scope: rank for rank, scope in enumerate(Scope)}
_SCOPES = {scope.value: scope for scope in Scope}


def widest(*scopes: Scope | None) -> Scope | None:
    """The widest of these, None without any."""
    return max((s for s in scopes if s is not None), key=_RANK.__getitem__, default=None)


class PermissionMissing(Forbidden):
    """The token is good, but doesn't hold the permission."""

    type = "permission-missing"
    title = "The token lacks the permission"


@dataclass(slots=True)
class Grant:
    """Who calls, and whose rows the permission that was asked for reaches."""

    principal: Principal
    scope: Scope


class AccessPolicy:
    """Turns a token's permissions into scopes."""

    def __init__(self, open_scopes: Mapping[str, str]) -> None:
        self._open_scopes = {name: _SCOPES[scope] for name, scope in open_scopes.items()}
        self._scope_of = lru_cache(maxsize=4096)(self._resolve)

    def scope_of(
        self, permissions: tuple[str, ...], resource: str, action: str, field: str | None = None
    ) -> Scope | None:
        """The widest scope in which `permissions` allow the action; None means no."""
        return self._scope_of(permissions, resource, action, field)

    def _resolve(
        self, permissions: tuple[str, ...], resource: str, action: str, field: str | None
    ) -> Scope | None:
        return widest(*(self._match(name, resource, action, field) for name in permissions))

    def _match(self, name: str, resource: str, action: str, field: str | None) -> Scope | None:
        parts = name.split(":")
        if len(parts) not in (2, 3):
            return None
        if parts[0] not in (resource, "*") or parts[1] not in (action, "*"):
            return None
        if len(parts) == 2:
            return self._open_scopes.get(name)
        if parts[2] in _SCOPES:
            return _SCOPES[parts[2]]
        return Scope.ASSIGNED if field is not None and parts[2] == field else None


async def authenticate(request: Request) -> Principal:
    """The caller, from the one Bearer token of the request; raises `Unauthorized`."""
    known = cast("Principal | None", request.scope.get(_PRINCIPAL_KEY))
    if known is not None:
        return known
    values = header_values(request, b"authorization")
    if len(values) != 1:
        raise Unauthorized("Send one Authorization header with a Bearer token.")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("Send one Authorization header with a Bearer token.")
    verifier = cast(TokenVerifier, request.app.state.runtime.verifier)
    principal = await verifier.verify(token.strip())
    request.scope[_PRINCIPAL_KEY] = principal
    return principal


class _Bearer(SecurityBase):
    """A dependency that FastAPI shows as bearer authentication in OpenAPI."""

    def __init__(self) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = "bearer"


class _Authenticated(_Bearer):
    async def __call__(self, request: Request) -> Principal:
        return await authenticate(request)


class _May(_Bearer):
    def __init__(
        self, resource: str, action: str, field: str | None, instead: tuple[str, str] | None
    ) -> None:
        super().__init__()
        self._wanted = (resource, action, field)
        self._instead = instead

    async def __call__(self, request: Request) -> Grant | None:
        principal = await authenticate(request)
        policy = cast(AccessPolicy, request.app.state.runtime.policy)
        scope = policy.scope_of(principal.permissions, *self._wanted)
        if self._instead is not None:
            scope = widest(scope, policy.scope_of(principal.permissions, *self._instead))
        return None if scope is None else Grant(principal, scope)


class _Requires(_Bearer):
    def __init__(self, may: _May, name: str) -> None:
        super().__init__()
        self._may = may
        self._name = name

    async def __call__(self, request: Request) -> Grant:
        grant = await self._may(request)
        if grant is None:
            raise PermissionMissing(f"This needs {self._name}.")
        return grant


def requires(
    resource: str,
    action: str,
    *,
    field: str | None = None,
    instead: tuple[str, str] | None = None,
) -> Any:
    """A dependency that gives the `Grant` for the action, or answers 401 or 403.

    `instead` is another resource and action that will do as well; the wider scope counts.
    """
    return Depends(_Requires(_May(resource, action, field, instead), f"{resource}:{action}"))


def may(resource: str, action: str, *, instead: tuple[str, str] | None = None) -> Any:
    """A dependency that gives the `Grant` for the action, None without it, or answers 401.

    For what several permissions open, each to something else; the endpoint answers 403.
    """
    return Depends(_May(resource, action, None, instead))


def authenticated() -> Any:
    """A dependency that gives the `Principal`, whatever its permissions, or answers 401."""
    return Depends(_Authenticated())
