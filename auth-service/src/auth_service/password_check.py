"""Checking a password without telling more than yes or no.

The hash is computed between two transactions, and takes as long for a user whom there isn't.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal
from auth_service.client import Client
from auth_service.errors import InvalidCredentials
from auth_service.hashing import Verdict
from auth_service.models import User
from auth_service.people import NOBODY, hold_user
from auth_service.realm import Realm
from auth_service.throttle import Bucket, blocked, buckets_for, count_failure, forgive, is_known
from chassis.errors import DomainError


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordCheck:
    """What was known before the hash was computed."""

    user_id: UUID
    password_hash: str | None
    client: Client
    buckets: list[Bucket]


async def begin_check(
    tx: AsyncSession, *, realm: Realm, username: str, user: User | None, client: Client
) -> PasswordCheck:
    """Whose password is to be checked, and where failures count; raises TooManyAttempts."""
    user_id = user.id if user else NOBODY
    buckets = await login_buckets(
        tx, realm=realm, username=username, user_id=user_id, client=client
    )
    refusal = await blocked(tx, buckets, now=realm.clock())
    if refusal is not None:
        raise refusal
    return PasswordCheck(
        user_id=user_id,
        password_hash=user.password_hash if user else None,
        client=client,
        buckets=buckets,
    )


async def settle_check(
    tx: AsyncSession, *, realm: Realm, check: PasswordCheck, verdict: Verdict, action: str
) -> User | DomainError:
    """Count the outcome; gives the user, locked, if the password was right.

    Many may have been checked at once. What was blocked meanwhile stays unanswered, right or wrong,
    so that guessing in parallel tells no more than guessing in turn.
    """
    now = realm.clock()
    user = await hold_user(tx, check.user_id)
    refusal = await blocked(tx, check.buckets, now=now)
    if refusal is not None:
        return refusal
    if not verdict.right or user is None or user.password_hash != check.password_hash:
        await count_failure(tx, check.buckets, now=now)
        wrong = InvalidCredentials()
        await journal.refused(tx, action, user, check.client, why=wrong)
        return wrong
    await forgive(tx, check.buckets)
    if verdict.rehashed is not None:
        user.password_hash = verdict.rehashed
    return user


async def login_buckets(
    tx: AsyncSession, *, realm: Realm, username: str, user_id: UUID, client: Client
) -> list[Bucket]:
    """Where failures with this username count; also a name that nobody has is slowed down."""
    known = await is_known(tx, user_id, client)
    account = f"login:{username.strip().lower()}"
    return buckets_for(account, client=client, known=known, settings=realm.settings)
