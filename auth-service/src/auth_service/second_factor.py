"""The second factor: answering the challenge of a login."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, opaque, totp
from auth_service.client import Client
from auth_service.errors import EnrolmentRequired, InvalidChallenge, InvalidCode, unless_refused
from auth_service.grants import Opened, gate, open_session, tokens_for
from auth_service.models import LoginChallenge, RecoveryCode, Tenant, TotpCredential, User
from auth_service.models.sessions import MAX_ATTEMPTS
from auth_service.people import hold_user
from auth_service.realm import Realm
from auth_service.schemas import TokenAnswer
from auth_service.throttle import Bucket, blocked, buckets_for, count_failure, forgive, is_known
from chassis.errors import DomainError

Method = Literal["totp", "recovery_code"]

SECRET_PURPOSE = "totp secret"  # noqa: S105 - a label
_ACTION = "session.second-factor"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldChallenge:
    """An open challenge and its user, both locked."""

    challenge: LoginChallenge
    user: User
    buckets: list[Bucket]


async def answer_challenge(
    *, realm: Realm, challenge: str, code: str, client: Client
) -> TokenAnswer:
    """Tokens for a code, which is never good twice."""
    async with realm.database.begin() as tx:
        outcome = await _answer(tx, realm, challenge, code, client)
    return await tokens_for(realm=realm, opened=unless_refused(outcome), client=client)


async def _answer(
    tx: AsyncSession, realm: Realm, token: str, code: str, client: Client
) -> Opened | DomainError:
    held = await hold_challenge(tx, realm=realm, token=token, client=client)
    if isinstance(held, DomainError):
        return held
    if held.challenge.purpose == "enrolment":
        return EnrolmentRequired()
    held.challenge.attempts += 1
    method = await show(tx, realm=realm, user=held.user, code=code)
    if method is None:
        return await refuse_code(tx, realm=realm, held=held, client=client, action=_ACTION)
    return await open_challenged(
        tx, realm=realm, held=held, client=client, action=_ACTION, method=method
    )


async def hold_challenge(
    tx: AsyncSession, *, realm: Realm, token: str, client: Client
) -> HeldChallenge | DomainError:
    """The open challenge of this token, or why there is none."""
    now = realm.clock()
    wanted = LoginChallenge.token_hash == opaque.digest(token)
    user_id = await tx.scalar(select(LoginChallenge.user_id).where(wanted))
    user = await hold_user(tx, user_id) if user_id else None
    buckets = await mfa_buckets(tx, realm=realm, user=user, client=client)
    refusal = await blocked(tx, buckets, now=now)
    if refusal is not None:
        return refusal
    challenge = await tx.scalar(select(LoginChallenge).where(wanted).with_for_update())
    if challenge is None or user is None or not challenge.is_open(now):
        return await refuse_challenge(tx, realm=realm, user=user, client=client)
    tenant = await tx.get_one(Tenant, user.tenant_id)
    refusal = gate(user, tenant, client=client, settings=realm.settings)
    if refusal is not None:
        await journal.refused(tx, _ACTION, user, client, why=refusal)
        return refusal
    return HeldChallenge(challenge=challenge, user=user, buckets=buckets)


async def refuse_challenge(
    tx: AsyncSession, *, realm: Realm, user: User | None, client: Client
) -> DomainError:
    """No such challenge, or not any more: a failure of the source."""
    invalid = InvalidChallenge()
    source = buckets_for(None, client=client, known=False, settings=realm.settings)
    await count_failure(tx, source, now=realm.clock())
    await journal.refused(tx, _ACTION, user, client, why=invalid)
    return invalid


async def mfa_buckets(
    tx: AsyncSession, *, realm: Realm, user: User | None, client: Client
) -> list[Bucket]:
    """Where wrong codes count: a budget of the user's beside the tries of each challenge."""
    if user is None:
        return buckets_for(None, client=client, known=False, settings=realm.settings)
    known = await is_known(tx, user.id, client)
    return buckets_for(f"mfa:{user.id}", client=client, known=known, settings=realm.settings)


async def refuse_code(
    tx: AsyncSession, *, realm: Realm, held: HeldChallenge, client: Client, action: str
) -> DomainError:
    """A wrong code: the try is used up, and the user's budget with it."""
    wrong = InvalidCode(attempts_left=MAX_ATTEMPTS - held.challenge.attempts)
    await count_failure(tx, held.buckets, now=realm.clock())
    await journal.refused(tx, action, held.user, client, why=wrong)
    return wrong


async def open_challenged(
    tx: AsyncSession,
    *,
    realm: Realm,
    held: HeldChallenge,
    client: Client,
    action: str,
    method: Method,
) -> Opened:
    """The session that the challenge stood before; uses the challenge up."""
    user, now = held.user, realm.clock()
    held.challenge.used_at = now
    await forgive(tx, held.buckets)
    opened = await open_session(
        tx, user, client=client, second_factor=True, settings=realm.settings, now=now
    )
    await journal.granted(tx, action, user, client, method=method, session=str(opened.session.id))
    return opened


async def show(tx: AsyncSession, *, realm: Realm, user: User, code: str) -> Method | None:
    """Use up a code of the user's; None when it isn't one, or not any more."""
    plain = "".join(code.split())
    if plain.isascii() and plain.isdigit():
        return "totp" if await _show_totp(tx, realm, user, plain) else None
    used = await tx.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == opaque.recovery_digest(plain),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=realm.clock())
        .returning(RecoveryCode.user_id)
    )
    return "recovery_code" if used.first() else None


async def _show_totp(tx: AsyncSession, realm: Realm, user: User, code: str) -> bool:
    confirmed = TotpCredential.user_id == user.id, TotpCredential.confirmed_at.is_not(None)
    credential = await tx.scalar(select(TotpCredential).where(*confirmed))
    if credential is None:
        return False
    step = totp.matching_step(open_secret(realm, credential), code, now=realm.clock())
    if step is None:
        return False
    taken = await tx.execute(
        update(TotpCredential)
        .where(TotpCredential.id == credential.id, TotpCredential.last_step < step)
        .values(last_step=step)
        .returning(TotpCredential.id)
    )
    return taken.first() is not None


def open_secret(realm: Realm, credential: TotpCredential) -> str:
    """The secret that the authenticator app shares."""
    owner = str(credential.user_id)
    return realm.vault.open(credential.sealed_secret, purpose=SECRET_PURPOSE, owner=owner).decode()
