"""Tokens for services that act by themselves: OAuth 2.0 client credentials (RFC 6749, 4.4)."""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs, unquote_plus

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import opaque
from auth_service.client import Client
from auth_service.errors import unless_refused
from auth_service.grants import access_claims
from auth_service.models import ServiceClient, Tenant
from auth_service.realm import Realm
from auth_service.rotation import fresh_keys
from auth_service.schemas import ServiceTokenAnswer
from auth_service.throttle import blocked, buckets_for, count_failure, forgive
from chassis.audit import record_audit
from chassis.errors import BadRequest, DomainError, Unauthorized

GRANT_TYPE: Final = "client_credentials"
_NO_SECRET: Final = bytes(32)
_MAX_FIELDS: Final = 20


class InvalidTokenRequest(BadRequest):
    """The form isn't a token request."""

    type = "invalid-token-request"
    title = "Not a token request"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, error="invalid_request")


class UnsupportedGrantType(BadRequest):
    """Only client credentials are granted here."""

    type = "unsupported-grant-type"
    title = "Unsupported grant type"

    def __init__(self) -> None:
        super().__init__(error="unsupported_grant_type")


class InvalidClient(Unauthorized):
    """Client id or secret are wrong, or the client is suspended."""

    type = "invalid-client"
    title = "Unknown client or wrong secret"

    def __init__(self) -> None:
        super().__init__(error="invalid_client")
        self.headers = {"WWW-Authenticate": 'Basic realm="auth"'}


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRequest:
    """A service's claim to be itself."""

    client_id: str
    secret: str


def read_token_request(body: bytes, authorization: Sequence[str]) -> TokenRequest:
    """The request of a form, with the credentials in the form or in HTTP Basic, but not in both."""
    form = _form(body)
    if form.get("grant_type") != GRANT_TYPE:
        raise UnsupportedGrantType if "grant_type" in form else InvalidTokenRequest
    in_form = "client_secret" in form
    if len(authorization) + in_form != 1:
        raise InvalidTokenRequest("Send the client's credentials once.")
    if authorization:
        client_id, secret = _basic(authorization[0])
    else:
        client_id, secret = form.get("client_id", ""), form["client_secret"]
    if "\0" in client_id:
        raise InvalidClient
    return TokenRequest(client_id=client_id, secret=secret)


async def token_for_service(
    *, realm: Realm, request: TokenRequest, client: Client
) -> ServiceTokenAnswer:
    """A token for a service; there is no refresh, since it can ask again at any time."""
    async with realm.database.begin() as tx:
        outcome = await _authenticate(tx, realm, request, client)
    service = unless_refused(outcome)
    life = timedelta(seconds=realm.settings.access_token_seconds)
    claims = access_claims(
        settings=realm.settings,
        subject=service.id,
        tenant_id=service.tenant_id,
        roles=service.roles,
        client=client,
        session_id=None,
        issued_at=realm.clock(),
        life=life,
    )
    signer = await (await fresh_keys(realm)).signer(realm.vault)
    return ServiceTokenAnswer(
        access_token=signer.sign(claims), expires_in=int(life.total_seconds())
    )


async def _authenticate(
    tx: AsyncSession, realm: Realm, request: TokenRequest, client: Client
) -> ServiceClient | DomainError:
    now = realm.clock()
    # Nobody guesses a random secret, so each source has its own count: an attacker's failures must
    # not keep the real service out.
    account = f"client:{request.client_id}"
    buckets = buckets_for(account, client=client, known=True, settings=realm.settings)
    refusal = await blocked(tx, buckets, now=now)
    if refusal is not None:
        return refusal
    found = (
        await tx.execute(
            select(ServiceClient, Tenant.status)
            .join(Tenant, Tenant.id == ServiceClient.tenant_id)
            .where(ServiceClient.client_id == request.client_id)
        )
    ).one_or_none()
    kept = found[0].secret_hash if found else _NO_SECRET
    right = hmac.compare_digest(kept, opaque.digest(request.secret))
    if found is None or not right or "suspended" in (found[0].status, found[1]):
        await count_failure(tx, buckets, now=now)
        await _audit(tx, found[0] if found else None, client, right=False)
        return InvalidClient()
    await forgive(tx, buckets)
    await _audit(tx, found[0], client, right=True)
    return found[0]


async def _audit(
    tx: AsyncSession, service: ServiceClient | None, client: Client, *, right: bool
) -> None:
    await record_audit(
        tx,
        actor=f"service/{service.client_id}" if service else "anonymous",
        action="service.token",
        target=f"service/{service.client_id}" if service else "service/unknown",
        outcome="allowed" if right else "denied",
        tenant_id=service.tenant_id if service else None,
        source_ip=client.address,
    )


def _form(body: bytes) -> Mapping[str, str]:
    try:
        fields = parse_qs(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise InvalidTokenRequest("The form can't be read.") from error
    if any(len(values) > 1 for values in fields.values()):
        raise InvalidTokenRequest("A field is sent twice.")
    return {name: values[0] for name, values in fields.items()}


def _basic(header: str) -> tuple[str, str]:
    """Client id and secret of HTTP Basic, each form-encoded as RFC 6749 section 2.3.1 wants."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error) as error:
        raise InvalidClient from error
    return unquote_plus(client_id), unquote_plus(secret)
