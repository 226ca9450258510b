"""Idempotency keys: a POST that is sent again gets the same answer, and its effect happens once.

The record is written in the transaction of the effect and keeps the answer to the byte. Its scope
is tenant, principal and route. A key that is being worked on is refused (409), never waited for:
a waiting request would hold its connection, and on the group-commit path its whole batch.
A request that was refused leaves no record, so the corrected one may use the key again.

`IdempotentRoute` does all this around an endpoint. An endpoint whose write goes through
`chassis.group_commit` asks for its `Claim` by `claim_key` and hands it on.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

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
from chassis.headers import header_values
from chassis.routing import Handler, StrictRequest, StrictRoute

KEY_HEADER = "Idempotency-Key"
_KEY_NAME = KEY_HEADER.lower().encode()
REPLAYED_HEADER = "Idempotency-Replayed"
_KEPT_HEADERS = ("etag", "location")
_KEY = re.compile(r"[!-~]{1,255}")
KEY_PARAMETER = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "Yours to choose: sent again with the same body it gets the same answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "required": False,
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


@dataclass(slots=True)
class Claim:
    """A key, within which it names one request, and the digest of what was asked."""

    tenant_id: UUID
    principal: str
    route: str
    key: str
    fingerprint: bytes

    @property
    def scope(self) -> Mapping[str, Any]:
        """The columns that name the record."""
        return {
            "tenant_id": self.tenant_id,
            "principal": self.principal,
            "route": self.route,
            "key": self.key,
        }

    @property
    def lock(self) -> str:
        """What a transaction that works on this key locks."""
        return f"{self.tenant_id}\n{self.principal}\n{self.route}\n{self.key}"

    def check(self, fingerprint: bytes) -> None:
        """Raise `KeyReused` unless the record with this digest is of the same request."""
        if fingerprint != self.fingerprint:
            raise KeyReused("The first request with this key had another payload.")


@dataclass(slots=True)
class Answer:
    """What a request is answered, to the byte."""

    body: bytes
    status: int = 200
    media_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    replayed: bool = False

    def response(self) -> Response:
        """As a response, which says so when it was given before."""
        marks = {REPLAYED_HEADER: "true"} if self.replayed else {}
        return Response(self.body, self.status, {**self.headers, **marks}, self.media_type)


class IdempotentRoute(StrictRoute):
    """Honours `Idempotency-Key` on POST; `KeyedRoute` also demands it."""

    key_required = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            extra = dict(options.get("openapi_extra") or {})
            parameter = {**KEY_PARAMETER, "required": self.key_required}
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
            # The route reads the body from this object too, so it is received once.
            request = StrictRequest(request.scope, request.receive)
            claim = await claim_key(request)
            if claim is None:
                if self.key_required:
                    raise KeyMissing
                return await handler(request)
            session = await open_session(request)
            kept = await _lock_and_read(session, claim)
            if kept is not None:
                return kept.response()
            response = await handler(request)
            if response.status_code < 400:
                await _keep(session, claim, response)
            return response

        return idempotent


class KeyedRoute(IdempotentRoute):
    """For every POST that moves money: a key is required."""

    key_required = True


async def claim_key(request: Request) -> Claim | None:
    """What the request's key claims, None without a key.

    Raises `KeyMalformed`, and `Unauthorized` since a key is its caller's.
    """
    key = _key_of(request)
    if key is None:
        return None
    principal = await authenticate(request)
    return Claim(
        tenant_id=principal.tenant_id,
        principal=principal.subject,
        # The path as called, not its template: its parameters belong to what is asked.
        route=f"POST {request.scope['path']}",
        key=key,
        fingerprint=await _fingerprint(request),
    )


async def kept_answer(session: AsyncSession, claim: Claim) -> Answer | None:
    """What the key's first request was answered; raises `KeyReused` when it asked for another."""
    table = idempotency_records
    found = await session.execute(
        select(table).where(*(table.c[name] == value for name, value in claim.scope.items()))
    )
    record = found.mappings().first()
    if record is None:
        return None
    claim.check(record["fingerprint"])
    return Answer(
        record["body"], record["status"], record["media_type"], record["headers"], replayed=True
    )


def _key_of(request: Request) -> str | None:
    values = header_values(request, _KEY_NAME)
    if not values:
        return None
    key = values[0]
    if len(values) > 1 or not _KEY.fullmatch(key):
        raise KeyMalformed("Send one key of 1 to 255 visible ASCII characters.")
    return key


async def _fingerprint(request: Request) -> bytes:
    try:
        canonical = orjson.dumps(await request.json(), option=orjson.OPT_SORT_KEYS)
    except (BadRequest, ValueError):
        canonical = await request.body()
    return hashlib.sha256(cast(bytes, request.scope["query_string"]) + b"\n" + canonical).digest()


async def _lock_and_read(session: AsyncSession, claim: Claim) -> Answer | None:
    lock = func.hashtextextended(claim.lock, 0)
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise KeyInFlight(headers={"Retry-After": "1"})
    return await kept_answer(session, claim)


async def _keep(session: AsyncSession, claim: Claim, response: Response) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    await session.execute(
        insert(idempotency_records).values(
            **claim.scope,
            fingerprint=claim.fingerprint,
            status=response.status_code,
            media_type=response.headers.get("content-type"),
            headers=headers,
            body=bytes(response.body),
        )
    )
