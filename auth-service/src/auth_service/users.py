"""Administration of users: who may log in, as what.

A tenant's administrator keeps the users of that tenant, with roles that its kind of tenant has. No
role of the platform is among those, so nobody can raise anybody above the own tenant; the schema
says so too. Hashing happens outside the transaction, so these use cases open their own.
"""

from uuid import UUID

from sqlalchemy import Select, delete, false, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, passwords
from auth_service.account import check_new_password
from auth_service.client import Client
from auth_service.grants import end_sessions
from auth_service.models import RecoveryCode, Tenant, TotpCredential, User
from auth_service.models.sessions import EndReason
from auth_service.realm import Realm
from auth_service.schemas import UserChange, UserCreate, UserView
from auth_service.tenants import find_tenant
from chassis.access import Grant, Scope
from chassis.errors import Conflict, Invalid, NotFound
from chassis.etags import IfMatch
from chassis.ids import new_id
from chassis.pagination import Key, Page, keyset, page_of
from contracts.permissions import mfa_required, roles_of


class UsernameTaken(Conflict):
    """Another user, of whatever tenant, has this name."""

    type = "username-taken"
    title = "This username is taken"


class RolesNotAllowed(Invalid):
    """A role that users of this kind of tenant don't have."""

    type = "roles-not-allowed"
    title = "Not a role of this kind of tenant"


class OwnAccount(Conflict):
    """Administrators don't change their own rights; somebody else does."""

    type = "own-account"
    title = "Not possible on your own account"


async def create_user(
    *, realm: Realm, grant: Grant, wanted: UserCreate, client: Client
) -> UserView:
    """A new, active user of a tenant that the caller may administer.

    The username is the natural key: asked twice, the second time is a conflict.
    """
    password = wanted.password.get_secret_value()
    async with realm.database.begin() as tx:
        tenant = await find_tenant(
            tx, grant=grant, tenant_id=wanted.tenant_id or grant.principal.tenant_id
        )
    _check_roles(wanted.roles, tenant)
    passwords.check(
        password,
        second_factor=mfa_required(wanted.roles),
        context=(wanted.username, tenant.name),
    )
    hashed = await realm.hasher.hash(password)
    user = new_user(realm, tenant, username=wanted.username, hashed=hashed, roles=wanted.roles)
    async with realm.database.begin() as tx:
        tx.add(user)
        try:
            await tx.flush()
        except IntegrityError as error:
            raise UsernameTaken from error
        await _audit(tx, "user.create", grant, user, client, roles=user.roles)
    return view_of(user, second_factor=False)


def new_user(realm: Realm, tenant: Tenant, *, username: str, hashed: str, roles: list[str]) -> User:
    """The row of a user who has never logged in."""
    now = realm.clock()
    return User(
        id=new_id(),
        tenant_id=tenant.id,
        tenant_kind=tenant.kind,
        username=username,
        password_hash=hashed,
        password_changed_at=now,
        roles=roles,
        created_at=now,
        updated_at=now,
    )


async def list_users(
    *, realm: Realm, grant: Grant, tenant_id: UUID | None, cursor: str | None, limit: int
) -> Page[UserView]:
    """The users that the caller may see, newest first; of one tenant if named."""
    statement = _visible(grant)
    if tenant_id is not None:
        statement = statement.where(User.tenant_id == tenant_id)
    statement = keyset(statement, at=User.created_at, row_id=User.id, cursor=cursor, limit=limit)
    async with realm.database.begin() as tx:
        users = (await tx.scalars(statement)).all()
        enrolled = await _enrolled(tx, [user.id for user in users])
    return page_of(
        users,
        limit=limit,
        key=lambda user: Key(user.created_at, user.id),
        render=lambda user: view_of(user, second_factor=user.id in enrolled),
    )


async def find_user(*, realm: Realm, grant: Grant, user_id: UUID) -> UserView:
    """A user that the caller may see; raises NotFound for others as for none."""
    async with realm.database.begin() as tx:
        user = await _one(tx, grant, user_id)
        enrolled = await _enrolled(tx, [user.id])
    return view_of(user, second_factor=bool(enrolled))


async def change_user(
    *,
    realm: Realm,
    grant: Grant,
    user_id: UUID,
    wanted: UserChange,
    seen: IfMatch,
    client: Client,
) -> UserView:
    """Change roles, status, password, second factor or device; each ends the user's sessions."""
    hashed = None
    if wanted.password is not None:
        hashed = await _hash_for(realm, grant, user_id, wanted.password.get_secret_value())
    async with realm.database.begin() as tx:
        user = await _one(tx, grant, user_id, lock=True)
        seen.require(user.version)
        if str(user.id) == grant.principal.subject:
            raise OwnAccount("Change your password at /auth/password.")
        if wanted.roles is not None:
            _check_roles(wanted.roles, await tx.get_one(Tenant, user.tenant_id))
        await _apply(tx, realm, user, wanted, hashed)
        changed = sorted(wanted.model_fields_set)
        await _audit(tx, "user.change", grant, user, client, changed=changed, roles=user.roles)
        enrolled = await _enrolled(tx, [user.id])
    return view_of(user, second_factor=bool(enrolled))


async def _apply(
    tx: AsyncSession, realm: Realm, user: User, wanted: UserChange, hashed: str | None
) -> None:
    now = realm.clock()
    if wanted.reset_second_factor:
        await tx.execute(delete(TotpCredential).where(TotpCredential.user_id == user.id))
        await tx.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    if wanted.reset_device:
        user.bound_device = None
    if hashed is not None:
        user.password_hash, user.password_changed_at = hashed, now
    user.roles = wanted.roles or user.roles
    user.status = wanted.status or user.status
    user.version += 1
    user.updated_at = now
    reason = _end_reason(wanted)
    if reason is not None:
        await end_sessions(tx, [user.id], reason=reason, now=now)


def _end_reason(wanted: UserChange) -> EndReason | None:
    """Why the sessions end, if they do; the gravest reason first."""
    reasons: list[tuple[bool, EndReason]] = [
        (wanted.status == "suspended", "suspended"),
        (wanted.roles is not None, "roles-changed"),
        (wanted.password is not None, "password-changed"),
        (wanted.reset_second_factor, "second-factor-changed"),
        (wanted.reset_device, "device-reset"),
    ]
    return next((reason for holds, reason in reasons if holds), None)


async def _hash_for(realm: Realm, grant: Grant, user_id: UUID, password: str) -> str:
    async with realm.database.begin() as tx:
        user = await _one(tx, grant, user_id)
        await check_new_password(tx, user=user, password=password)
    return await realm.hasher.hash(password)


def _check_roles(roles: list[str], tenant: Tenant) -> None:
    allowed = roles_of(tenant.kind)
    if not set(roles) <= set(allowed):
        raise RolesNotAllowed(f"Users of this tenant have: {', '.join(allowed)}.")


def _visible(grant: Grant) -> Select[User]:
    match grant.scope:
        case Scope.ALL:
            return select(User)
        case Scope.TENANT:
            return select(User).where(User.tenant_id == grant.principal.tenant_id)
        case _:
            return select(User).where(false())


async def _one(tx: AsyncSession, grant: Grant, user_id: UUID, *, lock: bool = False) -> User:
    statement = _visible(grant).where(User.id == user_id)
    user = await tx.scalar(statement.with_for_update(key_share=True) if lock else statement)
    if user is None:
        raise NotFound
    return user


async def _enrolled(tx: AsyncSession, user_ids: list[UUID]) -> set[UUID]:
    statement = select(TotpCredential.user_id).where(
        TotpCredential.user_id.in_(user_ids), TotpCredential.confirmed_at.is_not(None)
    )
    return set((await tx.scalars(statement)).all())


def view_of(user: User, *, second_factor: bool) -> UserView:
    """The user as administrators see it."""
    return UserView(
        id=user.id,
        tenant_id=user.tenant_id,
        username=user.username,
        roles=user.roles,
        status=user.status,
        second_factor=second_factor,
        device_bound=user.bound_device is not None,
        version=user.version,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


async def _audit(
    tx: AsyncSession, action: str, grant: Grant, user: User, client: Client, **details: object
) -> None:
    await journal.administered(
        tx,
        action,
        principal=grant.principal,
        target=f"user/{user.id}",
        tenant_id=user.tenant_id,
        client=client,
        **details,
    )
