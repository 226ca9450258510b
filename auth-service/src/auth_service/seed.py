"""Seeding: tenants, users and service clients of a file, made unless they are there.

What exists stays as it is, passwords included, except the secrets of service clients: those follow
the file, since the services read theirs from files that may have been made anew.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import opaque, passwords, totp
from auth_service.enrolment import totp_credential
from auth_service.models import ServiceClient, Tenant, User
from auth_service.people import find_user
from auth_service.realm import Realm
from auth_service.schemas import NewUsername, Roles, TenantName
from auth_service.users import new_user
from chassis.audit import record_audit
from chassis.ids import new_id
from contracts.permissions import TenantKind, mfa_required, roles_of

_LOCK = int.from_bytes(b"seed", "big")
_ACTOR = "operator:seed"


class CannotSeed(Exception):
    """What is wrong with the file, as one sentence for a person."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TenantSeed(_Entry):
    """A tenant, known by its name."""

    name: TenantName
    kind: TenantKind


class UserSeed(_Entry):
    """A user, known by the username; `tenant` is a tenant's name."""

    tenant: str
    username: NewUsername
    password: SecretStr
    roles: Roles
    totp_secret: SecretStr | None = Field(
        default=None, description="Base32 of 160 bits: a second factor that is in use already"
    )


class ClientSeed(_Entry):
    """A service client, known by its id; its secret is made of 32 random bytes or more."""

    client_id: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9-]{1,63}$")]
    secret: Annotated[SecretStr, Field(min_length=43)]


class Seed(_Entry):
    """The file. Service clients belong to the platform's tenant."""

    tenants: list[TenantSeed] = []
    users: list[UserSeed] = []
    clients: list[ClientSeed] = []


def read_seed(path: Path) -> Seed:
    """The file's content; raises CannotSeed."""
    try:
        return Seed.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CannotSeed(f"{path} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise CannotSeed(f"{path} isn't a seed: {'; '.join(faults)}.") from error


async def seed(*, realm: Realm, content: Seed) -> None:
    """Make what is missing. Twice, or two at once, is the same as once."""
    for user in content.users:
        _check_user(user)
    async with realm.database.begin() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        for tenant in content.tenants:
            await _seed_tenant(tx, realm, tenant)
        for client in content.clients:
            await _seed_client(tx, realm, client)
    for user in content.users:
        await _seed_user(realm, user)


def _check_user(user: UserSeed) -> None:
    try:
        passwords.check(
            user.password.get_secret_value(),
            second_factor=mfa_required(user.roles) or user.totp_secret is not None,
            context=(user.username, user.tenant),
        )
    except passwords.WeakPassword as error:
        raise CannotSeed(f"The password of {user.username} won't do: {error.detail}") from error


async def _seed_tenant(tx: AsyncSession, realm: Realm, wanted: TenantSeed) -> None:
    if await _tenant(tx, wanted.name) is not None:
        return
    now = realm.clock()
    tenant = Tenant(id=new_id(), name=wanted.name, kind=wanted.kind, created_at=now, updated_at=now)
    tx.add(tenant)
    await tx.flush()
    await _audit(tx, "tenant.create", f"tenant/{tenant.id}")


async def _seed_client(tx: AsyncSession, realm: Realm, wanted: ClientSeed) -> None:
    secret_hash, now = opaque.digest(wanted.secret.get_secret_value()), realm.clock()
    client = await tx.scalar(
        select(ServiceClient).where(ServiceClient.client_id == wanted.client_id)
    )
    if client is not None and client.secret_hash == secret_hash:
        return
    if client is None:
        platform = await tx.scalar(select(Tenant).where(Tenant.kind == "platform"))
        if platform is None:
            raise CannotSeed("Service clients need the platform's tenant; there is none.")
        client = ServiceClient(
            id=new_id(),
            client_id=wanted.client_id,
            tenant_id=platform.id,
            roles=["service"],
            created_at=now,
        )
    client.secret_hash, client.updated_at = secret_hash, now
    tx.add(client)
    await _audit(tx, "service.secret", f"service/{wanted.client_id}")


async def _seed_user(realm: Realm, wanted: UserSeed) -> None:
    async with realm.database.begin() as tx:
        if await find_user(tx, wanted.username) is not None:
            return
    hashed = await realm.hasher.hash(wanted.password.get_secret_value())
    async with realm.database.begin() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if await find_user(tx, wanted.username) is not None:
            return
        tenant = await _tenant(tx, wanted.tenant)
        if tenant is None:
            raise CannotSeed(f"{wanted.username} belongs to {wanted.tenant}, which there isn't.")
        if not set(wanted.roles) <= set(roles_of(tenant.kind)):
            raise CannotSeed(f"{wanted.username} has a role that a {tenant.kind} has not.")
        user = new_user(realm, tenant, username=wanted.username, hashed=hashed, roles=wanted.roles)
        tx.add(user)
        await tx.flush()
        if wanted.totp_secret is not None:
            _add_totp(tx, realm, user, wanted.totp_secret.get_secret_value())
        await _audit(tx, "user.create", f"user/{user.id}")


def _add_totp(tx: AsyncSession, realm: Realm, user: User, secret: str) -> None:
    credential = totp_credential(realm, user.id, secret)
    credential.confirmed_at, credential.last_step = realm.clock(), totp.NO_STEP
    tx.add(credential)


async def _tenant(tx: AsyncSession, name: str) -> Tenant | None:
    return await tx.scalar(select(Tenant).where(func.lower(Tenant.name) == name.lower()))


async def _audit(tx: AsyncSession, action: str, target: str) -> None:
    await record_audit(tx, actor=_ACTOR, action=action, target=target)
