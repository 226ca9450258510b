"""Logging in with a password."""

from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, opaque
from auth_service.client import Client
from auth_service.errors import unless_refused
from auth_service.grants import Opened, gate, open_session, tokens_for
from auth_service.hashing import Verdict
from auth_service.models import LoginChallenge, Tenant, User
from auth_service.models.sessions import CHALLENGE_LIFE, Purpose
from auth_service.password_check import PasswordCheck, begin_check, settle_check
from auth_service.people import find_user, has_second_factor
from auth_service.realm import Realm
from auth_service.schemas import ChallengeAnswer, TokenAnswer
from chassis.errors import DomainError
from chassis.ids import new_id

_ACTION = "session.login"


async def log_in(
    *, realm: Realm, username: str, password: str, client: Client
) -> TokenAnswer | ChallengeAnswer:
    """Tokens, or a challenge when a second factor is owed."""
    async with realm.database.begin() as tx:
        user = await find_user(tx, username)
        check = await begin_check(tx, realm=realm, username=username, user=user, client=client)
    verdict = await realm.hasher.verify(check.password_hash, password)
    async with realm.database.begin() as tx:
        outcome = await _judge(tx, realm, check, verdict)
    opened = unless_refused(outcome)
    if isinstance(opened, ChallengeAnswer):
        return opened
    return await tokens_for(realm=realm, opened=opened, client=client)


async def _judge(
    tx: AsyncSession, realm: Realm, check: PasswordCheck, verdict: Verdict
) -> Opened | ChallengeAnswer | DomainError:
    client, settings = check.client, realm.settings
    user = await settle_check(tx, realm=realm, check=check, verdict=verdict, action=_ACTION)
    if isinstance(user, DomainError):
        return user
    tenant = await tx.get_one(Tenant, user.tenant_id)
    refusal = gate(user, tenant, client=client, settings=settings)
    if refusal is not None:
        await journal.refused(tx, _ACTION, user, client, why=refusal)
        return refusal
    enrolled = await has_second_factor(tx, user.id)
    if enrolled or user.must_have_second_factor:
        purpose: Purpose = "second-factor" if enrolled else "enrolment"
        return await _challenge(tx, realm, user, client, purpose)
    opened = await open_session(
        tx, user, client=client, second_factor=False, settings=settings, now=realm.clock()
    )
    await journal.granted(tx, _ACTION, user, client, session=str(opened.session.id))
    return opened


async def _challenge(
    tx: AsyncSession, realm: Realm, user: User, client: Client, purpose: Purpose
) -> ChallengeAnswer:
    token, now = opaque.new_token(), realm.clock()
    challenge = LoginChallenge(
        id=new_id(),
        token_hash=opaque.digest(token),
        user_id=user.id,
        purpose=purpose,
        created_at=now,
        expires_at=now + CHALLENGE_LIFE,
    )
    tx.add(challenge)
    await journal.granted(tx, "session.challenge", user, client, purpose=purpose)
    return ChallengeAnswer(
        challenge=token,
        expires_in=int(CHALLENGE_LIFE.total_seconds()),
        enrolment_required=purpose == "enrolment",
        methods=["totp"] if purpose == "enrolment" else ["totp", "recovery_code"],
    )
