"""Refresh tokens: each is used once and has one successor.

The successor follows from the token by the master key, so an answer that got lost is given again
without keeping any secret. Whoever else brings a used token ends the session: one of the two who
hold it is a thief, and nobody can tell which.
"""

import base64
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, opaque
from auth_service.client import Client
from auth_service.errors import (
    InvalidRefreshToken,
    RefreshTokenReused,
    SecondFactorMissing,
    unless_refused,
)
from auth_service.grants import Opened, gate, refresh_token, tokens_for
from auth_service.models import RefreshToken, Tenant, User, UserSession
from auth_service.password_check import login_buckets
from auth_service.realm import Realm
from auth_service.schemas import TokenAnswer
from auth_service.throttle import blocked, buckets_for, count_failure
from chassis.errors import DomainError

_ACTION = "session.refresh"
_PURPOSE = "refresh successor"


async def refresh(*, realm: Realm, token: str, client: Client) -> TokenAnswer:
    """New tokens for a refresh token."""
    async with realm.database.begin() as tx:
        outcome = await _refresh(tx, realm, token, client)
    return await tokens_for(realm=realm, opened=unless_refused(outcome), client=client)


async def log_out(*, realm: Realm, token: str, client: Client) -> None:
    """End the session of a refresh token; one that is unknown or over is no error (RFC 7009)."""
    async with realm.database.begin() as tx:
        session = await _hold_session(tx, token)
        if session is None or session.ended_at is not None:
            return
        session.end("logout", now=realm.clock())
        user = await tx.get_one(User, session.user_id)
        await journal.granted(tx, "session.logout", user, client, session=str(session.id))


async def _refresh(
    tx: AsyncSession, realm: Realm, token: str, client: Client
) -> Opened | DomainError:
    session = await _hold_session(tx, token)
    if session is None:
        return await _refuse_unknown(tx, realm, client)
    user = await tx.get_one(User, session.user_id)
    buckets = await login_buckets(
        tx, realm=realm, username=user.username, user_id=user.id, client=client
    )
    refusal = await blocked(tx, buckets, now=realm.clock())
    if refusal is not None:
        return refusal
    refusal = await _barrier(tx, realm, session, user, client) or await _advance(
        tx, realm, session, token, client
    )
    if refusal is not None:
        await journal.refused(tx, _ACTION, user, client, why=refusal, session=str(session.id))
        return refusal
    await journal.granted(tx, _ACTION, user, client, session=str(session.id))
    return Opened(user=user, session=session, refresh_token=successor_of(realm, token))


async def _hold_session(tx: AsyncSession, token: str) -> UserSession | None:
    """The session of a token, locked: everything about one family happens in turn."""
    session_id = await tx.scalar(
        select(RefreshToken.session_id).where(RefreshToken.token_hash == opaque.digest(token))
    )
    if session_id is None:
        return None
    return await tx.scalar(
        select(UserSession).where(UserSession.id == session_id).with_for_update()
    )


async def _refuse_unknown(tx: AsyncSession, realm: Realm, client: Client) -> DomainError:
    now = realm.clock()
    buckets = buckets_for(None, client=client, known=False, settings=realm.settings)
    refusal = await blocked(tx, buckets, now=now)
    if refusal is not None:
        return refusal
    unknown = InvalidRefreshToken()
    await count_failure(tx, buckets, now=now)
    await journal.refused(tx, _ACTION, None, client, why=unknown)
    return unknown


async def _barrier(
    tx: AsyncSession, realm: Realm, session: UserSession, user: User, client: Client
) -> DomainError | None:
    """Why the session may not go on, whatever the token."""
    now = realm.clock()
    if not session.is_live(now):
        return InvalidRefreshToken()
    tenant = await tx.get_one(Tenant, user.tenant_id)
    if "suspended" in (user.status, tenant.status):
        session.end("suspended", now=now)
    elif user.must_have_second_factor and not session.second_factor:
        session.end("second-factor-missing", now=now)
        return SecondFactorMissing()
    return gate(user, tenant, client=client, settings=realm.settings)


async def _advance(
    tx: AsyncSession, realm: Realm, session: UserSession, token: str, client: Client
) -> DomainError | None:
    now = realm.clock()
    # Read after the session was locked: before, another request may have been using the token.
    row = await tx.scalar(
        select(RefreshToken).where(RefreshToken.token_hash == opaque.digest(token))
    )
    if row is None or row.is_retry(client.identity, now=now):
        return None if row else InvalidRefreshToken()
    if row.used_at is not None:
        session.end("token-reuse", now=now)
        source = buckets_for(None, client=client, known=False, settings=realm.settings)
        await count_failure(tx, source, now=now)
        return RefreshTokenReused()
    row.used_at, row.used_by = now, client.identity
    tx.add(_successor_row(realm, session, token, parent_id=row.id))
    return None


def _successor_row(
    realm: Realm, session: UserSession, token: str, *, parent_id: UUID
) -> RefreshToken:
    successor = successor_of(realm, token)
    return refresh_token(successor, session, parent_id=parent_id, now=realm.clock())


def successor_of(realm: Realm, token: str) -> str:
    """The token that follows this one."""
    derived = realm.vault.derive(token.encode(), purpose=_PURPOSE)
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()
