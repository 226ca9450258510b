"""Counted failures: who must wait before the next try.

An account's failures are counted for everybody together, except that a client from which its owner
has logged in has a count of its own: nobody's failures elsewhere keep the owner out. A device that
is known to the account isn't slowed down by its source either, which it may share with thousands.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.client import Client
from auth_service.delay import DelayRule
from auth_service.errors import TooManyAttempts
from auth_service.models import Throttle, UserSession
from auth_service.models.machinery import ThrottleScope
from auth_service.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class Bucket:
    """One count of failures, and the rule it slows down by."""

    scope: ThrottleScope
    key: bytes
    rule: DelayRule


def buckets_for(
    account: str | None, *, client: Client, known: bool, settings: AuthSettings
) -> list[Bucket]:
    """Where this attempt counts, accounts first: everybody locks them in this order."""
    found: list[Bucket] = []
    if account is not None:
        owner = client.identity if known else b""
        found.append(Bucket("account", _key(account.encode(), owner), settings.account_rule))
    if not (known and client.device_id is not None):
        found.append(Bucket("source", _key(client.source.encode()), settings.source_rule))
    return found


async def is_known(tx: AsyncSession, user_id: UUID, client: Client) -> bool:
    """Whether this user has logged in from this client."""
    logged_in = exists().where(
        UserSession.user_id == user_id, UserSession.client == client.identity
    )
    return bool(await tx.scalar(select(logged_in)))


async def blocked(
    tx: AsyncSession, buckets: Sequence[Bucket], *, now: datetime
) -> TooManyAttempts | None:
    """The refusal, if one of the buckets says to wait."""
    wanted = [(bucket.scope, bucket.key) for bucket in buckets]
    until = await tx.scalars(
        select(Throttle.blocked_until).where(tuple_(Throttle.scope, Throttle.key).in_(wanted))
    )
    wait = max((moment - now for moment in until), default=None)
    if wait is None or wait.total_seconds() <= 0:
        return None
    return TooManyAttempts("Wait before the next try.", retry_after=wait.total_seconds())


async def count_failure(tx: AsyncSession, buckets: Sequence[Bucket], *, now: datetime) -> None:
    """One more failure in every bucket."""
    for bucket in buckets:
        (await _locked(tx, bucket, now)).fail(bucket.rule, now=now)


async def forgive(tx: AsyncSession, buckets: Sequence[Bucket]) -> None:
    """Forget an account's failures after a success.

    A source's failures stay: whoever guesses at many accounts may well hold one of them.
    """
    keys = [bucket.key for bucket in buckets if bucket.scope == "account"]
    await tx.execute(delete(Throttle).where(Throttle.scope == "account", Throttle.key.in_(keys)))


async def _locked(tx: AsyncSession, bucket: Bucket, now: datetime) -> Throttle:
    fresh = {"scope": bucket.scope, "key": bucket.key, "failures": 0}
    await tx.execute(
        insert(Throttle)
        .values(**fresh, blocked_until=now, last_failure_at=now)
        .on_conflict_do_nothing()
    )
    statement = select(Throttle).where(Throttle.scope == bucket.scope, Throttle.key == bucket.key)
    return (
        await tx.scalars(statement.with_for_update().execution_options(populate_existing=True))
    ).one()


def _key(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()
