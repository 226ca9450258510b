"""What every way to get a token shares: the gate before it, and the session behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import opaque
from auth_service.client import Client
from auth_service.errors import AccountSuspended, AddressNotAllowed, DeviceNotBound
from auth_service.models import RefreshToken, Tenant, User, UserSession
from auth_service.models.sessions import EndReason
from auth_service.realm import Realm
from auth_service.rotation import fresh_keys
from auth_service.schemas import TokenAnswer
from auth_service.settings import AuthSettings
from chassis.errors import DomainError
from chassis.ids import new_id
from contracts.permissions import ROLES, mfa_required, permissions_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A session with the refresh token that is current now."""

    user: User
    session: UserSession
    refresh_token: str


def gate(
    user: User, tenant: Tenant, *, client: Client, settings: AuthSettings
) -> DomainError | None:
    """Why this user gets nothing here and now, however good the credentials are."""
    if "suspended" in (user.status, tenant.status):
        return AccountSuspended()
    roles = [ROLES[name] for name in user.roles]
    if any(role.ip_allow_list for role in roles) and not _is_listed(client, settings):
        return AddressNotAllowed()
    if any(role.device_binding for role in roles) and (
        client.device_id is None or user.bound_device not in (None, client.device_id)
    ):
        return DeviceNotBound("Send the id of the account's device as X-Device-Id.")
    return None


async def open_session(
    tx: AsyncSession,
    user: User,
    *,
    client: Client,
    second_factor: bool,
    settings: AuthSettings,
    now: datetime,
) -> Opened:
    """Start a session; the caller holds the user's row, so limits and binding can't be raced."""
    roles = [ROLES[name] for name in user.roles]
    limits = [role.max_sessions for role in roles if role.max_sessions is not None]
    if limits:
        await _make_room(tx, user, room=min(limits), now=now)
    if any(role.device_binding for role in roles):
        user.bound_device = client.device_id
    session = UserSession(
        id=new_id(),
        user_id=user.id,
        device_id=client.device_id,
        client=client.identity,
        second_factor=second_factor,
        created_at=now,
        expires_at=now + _longest_life(user, settings),
    )
    tx.add(session)
    await tx.flush()
    token = opaque.new_token()
    tx.add(refresh_token(token, session, parent_id=None, now=now))
    return Opened(user=user, session=session, refresh_token=token)


def refresh_token(
    token: str, session: UserSession, *, parent_id: UUID | None, now: datetime
) -> RefreshToken:
    """The row that keeps a refresh token of this session."""
    return RefreshToken(
        id=new_id(),
        session_id=session.id,
        parent_id=parent_id,
        token_hash=opaque.digest(token),
        created_at=now,
    )


async def end_sessions(
    tx: AsyncSession,
    user_ids: Sequence[UUID],
    *,
    reason: EndReason,
    now: datetime,
    spare: UUID | None = None,
) -> None:
    """End every live session of these users, but for the one that is spared."""
    live = UserSession.user_id.in_(user_ids), UserSession.ended_at.is_(None)
    statement = update(UserSession).where(*live).values(ended_at=now, end_reason=reason)
    if spare is not None:
        statement = statement.where(UserSession.id != spare)
    await tx.execute(statement)


async def tokens_for(*, realm: Realm, opened: Opened, client: Client) -> TokenAnswer:
    """Sign, after the transaction: signing may have to read keys."""
    now = realm.clock()
    left = opened.session.expires_at - now
    life = min(timedelta(seconds=realm.settings.access_token_seconds), left)
    claims = access_claims(
        settings=realm.settings,
        subject=opened.user.id,
        tenant_id=opened.user.tenant_id,
        roles=opened.user.roles,
        client=client,
        session_id=opened.session.id,
        issued_at=now,
        life=life,
    )
    signer = await (await fresh_keys(realm)).signer(realm.vault)
    return TokenAnswer(
        access_token=signer.sign(claims),
        expires_in=int(life.total_seconds()),
        refresh_token=opened.refresh_token,
        refresh_expires_in=int(left.total_seconds()),
    )


def access_claims(
    *,
    settings: AuthSettings,
    subject: UUID,
    tenant_id: UUID,
    roles: Sequence[str],
    client: Client,
    session_id: UUID | None,
    issued_at: datetime,
    life: timedelta,
) -> Mapping[str, object]:
    """The claims of an access token. What isn't there, such as a service's session, is null."""
    return {
        "sub": str(subject),
        "iss": settings.token_issuer,
        "aud": [settings.token_audience],
        "exp": int((issued_at + life).timestamp()),
        "iat": int(issued_at.timestamp()),
        "jti": str(new_id()),
        "tenant_id": str(tenant_id),
        "roles": list(roles),
        "permissions": list(permissions_of(roles)),
        "metadata": {
            "ip_address": None if client.address is None else str(client.address),
            "device_id": client.device_id,
            "session_id": None if session_id is None else str(session_id),
        },
    }


def _is_listed(client: Client, settings: AuthSettings) -> bool:
    address = client.address
    return address is not None and any(address in network for network in settings.admin_networks)


async def _make_room(tx: AsyncSession, user: User, *, room: int, now: datetime) -> None:
    live = (
        select(UserSession)
        .where(
            UserSession.user_id == user.id,
            UserSession.ended_at.is_(None),
            UserSession.expires_at > now,
        )
        .order_by(UserSession.created_at.desc(), UserSession.id.desc())
        .offset(room - 1)
        .with_for_update()
    )
    for session in await tx.scalars(live):
        session.end("session-limit", now=now)


def _longest_life(user: User, settings: AuthSettings) -> timedelta:
    if mfa_required(user.roles):
        return timedelta(hours=settings.privileged_session_hours)
    return timedelta(days=settings.session_days)
