"""Logging in with a password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, opaque
from auth_service.client import Client
from auth_service.errors import InvalidCredentials, unless_refused
from auth_service.grants import Opened, gate, open_session, tokens_for
from auth_service.hashing import Verdict
from auth_service.models import LoginChallenge, Tenant, User
from auth_service.models.sessions import CHALLENGE_LIFE, Purpose
from auth_service.people import has_second_factor, hold_user
from auth_service.realm import Realm
from auth_service.schemas import ChallengeAnswer, TokenAnswer
from auth_service.throttle import Bucket, blocked, buckets_for, count_failure, forgive, is_known
from chassis.errors import DomainError
from chassis.ids import new_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A password that somebody says is somebody's, and what was known before it was checked."""

    user_id: UUID | None
    password_hash: str | None
    client: Client
    buckets: list[Bucket]


async def log_in(
    *, realm: Realm, username: str, password: str, client: Client
) -> TokenAnswer | ChallengeAnswer:
    """Tokens, or a challenge when a second factor is owed."""
    async with realm.database.begin() as tx:
        attempt = await begin_attempt(tx, realm=realm, username=username, client=client)
    verdict = await realm.hasher.verify(attempt.password_hash, password)
    async with realm.database.begin() as tx:
        outcome = await _judge(tx, realm, attempt, verdict)
    opened = unless_refused(outcome)
    if isinstance(opened, ChallengeAnswer):
        return opened
    return await tokens_for(realm=realm, opened=opened, client=client)


async def begin_attempt(
    tx: AsyncSession, *, realm: Realm, username: str, client: Client
) -> Attempt:
    """Look up what is needed to check a password; raises TooManyAttempts."""
    name = username.strip().lower()
    # Postgres keeps no NUL; such a name is nobody's.
    found = None if "\0" in name else await _find(tx, name)
    known = found is not None and await is_known(tx, found.id, client)
    buckets = buckets_for(f"login:{name}", client=client, known=known, settings=realm.settings)
    refusal = await blocked(tx, buckets, now=realm.clock())
    if refusal is not None:
        raise refusal
    return Attempt(
        user_id=found.id if found else None,
        password_hash=found.password_hash if found else None,
        client=client,
        buckets=buckets,
    )


async def settle_attempt(
    tx: AsyncSession, *, attempt: Attempt, verdict: Verdict, action: str, now: datetime
) -> User | DomainError:
    """Count the outcome of a checked password; the user, locked, if it was right.

    Many may have been checked at once. What was blocked meanwhile stays unanswered, right or wrong,
    so that guessing in parallel tells no more than guessing in turn.
    """
    held = await hold_user(tx, attempt.user_id) if attempt.user_id else None
    refusal = await blocked(tx, attempt.buckets, now=now)
    if refusal is not None:
        return refusal
    user = held[0] if held else None
    if not verdict.right or user is None or user.password_hash != attempt.password_hash:
        await count_failure(tx, attempt.buckets, now=now)
        wrong = InvalidCredentials()
        await journal.refused(tx, action, user, attempt.client, why=wrong)
        return wrong
    await forgive(tx, attempt.buckets)
    if verdict.rehashed is not None:
        user.password_hash = verdict.rehashed
    return user


async def _judge(
    tx: AsyncSession, realm: Realm, attempt: Attempt, verdict: Verdict
) -> Opened | ChallengeAnswer | DomainError:
    now = realm.clock()
    client = attempt.client
    user = await settle_attempt(
        tx, attempt=attempt, verdict=verdict, action="session.login", now=now
    )
    if isinstance(user, DomainError):
        return user
    tenant = await tx.get_one(Tenant, user.tenant_id)
    refusal = gate(user, tenant, client=client, settings=realm.settings)
    if refusal is not None:
        await journal.refused(tx, "session.login", user, client, why=refusal)
        return refusal
    enrolled = await has_second_factor(tx, user.id)
    if enrolled or user.must_have_second_factor:
        purpose = "second-factor" if enrolled else "enrolment"
        await journal.granted(tx, "session.challenge", user, client, purpose=purpose)
        return _challenge(tx, user, purpose, now)
    opened = await open_session(
        tx, user, client=client, second_factor=False, settings=realm.settings, now=now
    )
    await journal.granted(tx, "session.login", user, client, session=str(opened.session.id))
    return opened


def _challenge(tx: AsyncSession, user: User, purpose: Purpose, now: datetime) -> ChallengeAnswer:
    token = opaque.new_token()
    tx.add(
        LoginChallenge(
            id=new_id(),
            token_hash=opaque.digest(token),
            user_id=user.id,
            purpose=purpose,
            created_at=now,
            expires_at=now + CHALLENGE_LIFE,
        )
    )
    return ChallengeAnswer(
        challenge=token,
        expires_in=int(CHALLENGE_LIFE.total_seconds()),
        enrolment_required=purpose == "enrolment",
        methods=["totp"] if purpose == "enrolment" else ["totp", "recovery_code"],
    )


async def _find(tx: AsyncSession, name: str) -> User | None:
    return await tx.scalar(select(User).where(User.username == name))
