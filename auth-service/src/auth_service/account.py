"""What a person does to the own account."""

from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, passwords
from auth_service.client import Client
from auth_service.errors import unless_refused
from auth_service.grants import end_sessions
from auth_service.hashing import Verdict
from auth_service.models import Tenant, User, UserSession
from auth_service.password_check import PasswordCheck, begin_check, settle_check
from auth_service.people import has_second_factor
from auth_service.persons import Person
from auth_service.realm import Realm
from auth_service.schemas import Me, TenantOfMe
from chassis.errors import DomainError
from contracts.permissions import permissions_of

_ACTION = "password.change"


async def describe_me(*, realm: Realm, person: Person) -> Me:
    """Who the caller is, as things stand now."""
    async with realm.database.begin() as tx:
        user = await tx.get_one(User, person.user_id)
        tenant = await tx.get_one(Tenant, user.tenant_id)
        session = await tx.get_one(UserSession, person.session_id)
        enrolled = await has_second_factor(tx, user.id)
    return Me(
        id=user.id,
        username=user.username,
        tenant=TenantOfMe.model_validate(tenant),
        roles=user.roles,
        permissions=list(permissions_of(user.roles)),
        second_factor=enrolled,
        session_id=session.id,
        session_expires_at=session.expires_at,
    )


async def change_password(
    *, realm: Realm, person: Person, current: str, new: str, client: Client
) -> None:
    """Take a new password for the present one. Every other session ends."""
    async with realm.database.begin() as tx:
        user = await tx.get_one(User, person.user_id)
        check = await begin_check(tx, realm=realm, username=user.username, user=user, client=client)
        await check_new_password(tx, user=user, password=new)
    verdict = await realm.hasher.verify(check.password_hash, current)
    hashed = await realm.hasher.hash(new) if verdict.right else ""
    async with realm.database.begin() as tx:
        outcome = await _change(tx, realm, person, check, verdict, hashed)
    unless_refused(outcome)


async def check_new_password(tx: AsyncSession, *, user: User, password: str) -> None:
    """Raise WeakPassword unless this user may have this password."""
    tenant = await tx.get_one(Tenant, user.tenant_id)
    second_factor = user.must_have_second_factor or await has_second_factor(tx, user.id)
    passwords.check(password, second_factor=second_factor, context=(user.username, tenant.name))


async def _change(
    tx: AsyncSession,
    realm: Realm,
    person: Person,
    check: PasswordCheck,
    verdict: Verdict,
    hashed: str,
) -> DomainError | None:
    user = await settle_check(tx, realm=realm, check=check, verdict=verdict, action=_ACTION)
    if isinstance(user, DomainError):
        return user
    now = realm.clock()
    user.password_hash, user.password_changed_at = hashed, now
    await end_sessions(tx, [user.id], reason="password-changed", now=now, spare=person.session_id)
    await journal.granted(tx, _ACTION, user, check.client)
    return None
