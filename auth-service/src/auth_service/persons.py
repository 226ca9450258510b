"""Who calls this service with an access token, as things stand now and not when it was signed."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from auth_service.errors import PersonsOnly, SessionEnded
from auth_service.models import Tenant, User, UserSession
from auth_service.realm import Realm
from chassis.tokens import Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A user with a live session."""

    principal: Principal
    user_id: UUID
    session_id: UUID


async def live_person(*, realm: Realm, principal: Principal) -> Person:
    """The person behind a good token; raises SessionEnded once the session, the user or the tenant
    is out. Elsewhere a token lives on until it expires; here, where rights are given, it doesn't.
    """
    if principal.session_id is None:
        raise PersonsOnly
    person = Person(
        principal=principal,
        user_id=UUID(principal.subject),
        session_id=UUID(principal.session_id),
    )
    statement = (
        select(UserSession, User.status, Tenant.status)
        .join(User, User.id == UserSession.user_id)
        .join(Tenant, Tenant.id == User.tenant_id)
        .where(UserSession.id == person.session_id, UserSession.user_id == person.user_id)
    )
    async with realm.database.begin() as tx:
        found = (await tx.execute(statement)).one_or_none()
    if found is None or not found[0].is_live(realm.clock()) or "suspended" in found[1:]:
        raise SessionEnded
    return person
