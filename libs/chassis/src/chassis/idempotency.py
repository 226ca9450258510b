"""Idempotency keys: a POST that is sent again gets the same answer, and its effect happens once.

The record is written in the transaction of the effect and keeps the answer to the byte. Its scope
is tenant, principal and route. A key that is being worked on is refused (409), never waited for:
a waiting request would hold its connection, and on the group-commit path its whole batch.
A request that was refused leaves no record, so the corrected one may use the key again.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from sqlalchemy import (
    Column,
    Date,
    DateTime,
    FetchedValue,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from chassis.access import authenticate
from chassis.db import open_session
from chassis.errors import BadRequest, Conflict, Invalid
from chassis.routing import Handler, StrictRequest, StrictRoute
from chassis.tokens import Principal

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEPT_HEADERS = ("etag", "location")
_PARAMETER = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "Yours to choose: sent again with the same body it gets the same answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

# The table lives in each service's database; the first migration of a service makes it.
idempotency_records = Table(
    "idempotency_records",
    MetaData(),
    Column("tenant_id", Uuid, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("created_on", Date, server_default=FetchedValue(), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("media_type", Text),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)


class KeyMissing(BadRequest):
    """The route moves money and so needs a key."""

    type = "idempotency-key-missing"
    title = "Idempotency-Key is required"


class KeyMalformed(BadRequest):
    """The key isn't 1 to 255 visible ASCII characters."""

    type = "idempotency-key-malformed"
    title = "Idempotency-Key is malformed"


class KeyInFlight(Conflict):
    """Another request with this key is being worked on."""

    type = "idempotency-key-in-flight"
    title = "A request with this Idempotency-Key is in progress"


class KeyReused(Invalid):
    """The key was used with another payload."""

    type = "idempotency-key-reused"
    title = "Idempotency-Key was used for another request"


@dataclass(frozen=True, slots=True)
class KeyScope:
    """Within which a key names one request."""

    tenant_id: str
    principal: str
    route: str
    key: str

    def columns(self) -> Mapping[str, str]:
        """As the record's columns."""
        return {
            "tenant_id": self.tenant_id,
            "principal": self.principal,
            "route": self.route,
            "key": self.key,
        }


class IdempotentRoute(StrictRoute):
    """Honours `Idempotency-Key` on POST; `KeyedRoute` also demands it."""

    key_required = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            extra = dict(options.get("openapi_extra") or {})
            parameter = {**_PARAMETER, "required": self.key_required}
            options["openapi_extra"] = {
                **extra,
                "parameters": [*extra.get("parameters", ()), parameter],
            }
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handler

        async def idempotent(request: Request) -> Response:
            key = _key_of(request)
            if key is None:
                if self.key_required:
                    raise KeyMissing
                return await handler(request)
            # The route reads the body from this object too, so it is received once.
            request = StrictRequest(request.scope, request.receive)
            principal = await authenticate(request)
            # The path as called, not its template: its parameters belong to what is asked.
            scope = _scope(principal, f"POST {request.url.path}", key)
            fingerprint = await _fingerprint(request)
            session = await open_session(request)
            kept = await _claim(session, scope, fingerprint)
            if kept is not None:
                return kept
            response = await handler(request)
            if response.status_code < 400:
                await _keep(session, scope, fingerprint, response)
            return response

        return idempotent


class KeyedRoute(IdempotentRoute):
    """For every POST that moves money: a key is required."""

    key_required = True


def _key_of(request: Request) -> str | None:
    values = request.headers.getlist(KEY_HEADER)
    if not values:
        return None
    key = values[0]
    if len(values) > 1 or not 1 <= len(key) <= 255 or not all("!" <= c <= "~" for c in key):
        raise KeyMalformed("Send one key of 1 to 255 visible ASCII characters.")
    return key


def _scope(principal: Principal, route: str, key: str) -> KeyScope:
    return KeyScope(str(principal.tenant_id), principal.subject, route, key)


async def _fingerprint(request: Request) -> bytes:
    body = await request.body()
    try:
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except ValueError:
        canonical = body
    return hashlib.sha256(cast(bytes, request.scope["query_string"]) + b"\n" + canonical).digest()


async def _claim(session: AsyncSession, scope: KeyScope, fingerprint: bytes) -> Response | None:
    lock = func.hashtextextended("\n".join(scope.columns().values()), 0)
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise KeyInFlight(headers={"Retry-After": "1"})
    table = idempotency_records
    found = await session.execute(
        select(table).where(*(table.c[name] == value for name, value in scope.columns().items()))
    )
    record = found.mappings().first()
    if record is None:
        return None
    if record["fingerprint"] != fingerprint:
        raise KeyReused("The first request with this key had another payload.")
    headers = {**record["headers"], REPLAYED_HEADER: "true"}
    return Response(record["body"], record["status"], headers, record["media_type"])


async def _keep(
    session: AsyncSession, scope: KeyScope, fingerprint: bytes, response: Response
) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    await session.execute(
        insert(idempotency_records).values(
            **scope.columns(),
            fingerprint=fingerprint,
            status=response.status_code,
            media_type=response.headers.get("content-type"),
            headers=headers,
            body=bytes(response.body),
        )
    )
