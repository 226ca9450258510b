"""Setting up a second factor: a secret for the app, then its first code.

Somebody whose roles demand one does it in the middle of the login, with the challenge. Everybody
else does it with an access token and the password again, and with a code of the second factor that
is being replaced.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal, opaque, totp
from auth_service.client import Client
from auth_service.errors import InvalidCode, NothingToConfirm, unless_refused
from auth_service.grants import Opened, end_sessions, tokens_for
from auth_service.models import RecoveryCode, TotpCredential, User, UserSession
from auth_service.password_check import begin_check, settle_check
from auth_service.people import has_second_factor, hold_user
from auth_service.persons import Person
from auth_service.realm import Realm
from auth_service.schemas import ConfirmAnswer, EnrolAnswer
from auth_service.second_factor import (
    SECRET_PURPOSE,
    HeldChallenge,
    hold_challenge,
    mfa_buckets,
    open_challenged,
    open_secret,
    refuse_challenge,
    refuse_code,
    show,
)
from auth_service.throttle import Bucket, blocked, count_failure, forgive
from chassis.errors import DomainError
from chassis.ids import new_id

_BEGIN = "second-factor.enrol"
_CONFIRM = "second-factor.confirm"


async def enrol_at_login(*, realm: Realm, challenge: str, client: Client) -> EnrolAnswer:
    """A secret for the holder of a challenge that wants one. Asked again, it is another one."""
    async with realm.database.begin() as tx:
        held = await _hold_for_enrolment(tx, realm, challenge, client)
        outcome = held if isinstance(held, DomainError) else await _new_secret(tx, realm, held.user)
    return unless_refused(outcome)


async def enrol(
    *, realm: Realm, person: Person, password: str, code: str | None, client: Client
) -> EnrolAnswer:
    """A secret for somebody who is logged in; the present one stays until the new is confirmed."""
    async with realm.database.begin() as tx:
        user = await tx.get_one(User, person.user_id)
        check = await begin_check(tx, realm=realm, username=user.username, user=user, client=client)
    verdict = await realm.hasher.verify(check.password_hash, password)
    async with realm.database.begin() as tx:
        checked = await settle_check(tx, realm=realm, check=check, verdict=verdict, action=_BEGIN)
        if not isinstance(checked, DomainError):
            checked = await _may_replace(tx, realm, checked, code, client)
        outcome = (
            checked if isinstance(checked, DomainError) else await _new_secret(tx, realm, checked)
        )
    return unless_refused(outcome)


async def confirm_at_login(
    *, realm: Realm, challenge: str, code: str, client: Client
) -> ConfirmAnswer:
    """The first code of the new secret: recovery codes, and the tokens that the login owes."""
    async with realm.database.begin() as tx:
        outcome = await _confirm_at_login(tx, realm, challenge, code, client)
    recovery_codes, opened = unless_refused(outcome)
    tokens = await tokens_for(realm=realm, opened=opened, client=client)
    return ConfirmAnswer(recovery_codes=recovery_codes, tokens=tokens)


async def confirm(*, realm: Realm, person: Person, code: str, client: Client) -> ConfirmAnswer:
    """The same for somebody who is logged in. Every other session of theirs ends."""
    async with realm.database.begin() as tx:
        outcome = await _confirm(tx, realm, person, code, client)
    return ConfirmAnswer(recovery_codes=unless_refused(outcome))


def totp_credential(realm: Realm, user_id: UUID, secret: str) -> TotpCredential:
    """The row of a secret that waits for its first code."""
    return TotpCredential(
        id=new_id(),
        user_id=user_id,
        sealed_secret=realm.vault.seal(secret.encode(), purpose=SECRET_PURPOSE, owner=str(user_id)),
        created_at=realm.clock(),
    )


async def _hold_for_enrolment(
    tx: AsyncSession, realm: Realm, challenge: str, client: Client
) -> HeldChallenge | DomainError:
    held = await hold_challenge(tx, realm=realm, token=challenge, client=client)
    if isinstance(held, DomainError):
        return held
    # Another login of the same person may have enrolled meanwhile.
    if held.challenge.purpose != "enrolment" or await has_second_factor(tx, held.user.id):
        return await refuse_challenge(tx, realm=realm, user=held.user, client=client)
    return held


async def _may_replace(
    tx: AsyncSession, realm: Realm, user: User, code: str | None, client: Client
) -> User | DomainError:
    if not await has_second_factor(tx, user.id):
        return user
    buckets = await mfa_buckets(tx, realm=realm, user=user, client=client)
    refusal = await blocked(tx, buckets, now=realm.clock())
    if refusal is not None:
        return refusal
    if code is not None and await show(tx, realm=realm, user=user, code=code):
        return user
    return await _wrong_code(tx, realm, user, buckets, client, _BEGIN)


async def _new_secret(tx: AsyncSession, realm: Realm, user: User) -> EnrolAnswer:
    await tx.execute(
        delete(TotpCredential).where(
            TotpCredential.user_id == user.id, TotpCredential.confirmed_at.is_(None)
        )
    )
    secret = totp.new_secret()
    tx.add(totp_credential(realm, user.id, secret))
    uri = totp.uri(secret, username=user.username, issuer=realm.settings.product_name)
    return EnrolAnswer(secret=secret, otpauth_uri=uri)


async def _confirm_at_login(
    tx: AsyncSession, realm: Realm, challenge: str, code: str, client: Client
) -> tuple[list[str], Opened] | DomainError:
    held = await _hold_for_enrolment(tx, realm, challenge, client)
    if isinstance(held, DomainError):
        return held
    pending = await _pending(tx, held.user.id)
    if pending is None:
        return NothingToConfirm()
    held.challenge.attempts += 1
    step = totp.matching_step(open_secret(realm, pending), code, now=realm.clock())
    if step is None:
        return await refuse_code(tx, realm=realm, held=held, client=client, action=_CONFIRM)
    recovery_codes = await _put_in_use(tx, pending, step, now=realm.clock())
    opened = await open_challenged(
        tx, realm=realm, held=held, client=client, action=_CONFIRM, method="totp"
    )
    return recovery_codes, opened


async def _confirm(
    tx: AsyncSession, realm: Realm, person: Person, code: str, client: Client
) -> list[str] | DomainError:
    now = realm.clock()
    user = await hold_user(tx, person.user_id)
    pending = await _pending(tx, person.user_id)
    if user is None or pending is None:
        return NothingToConfirm()
    buckets = await mfa_buckets(tx, realm=realm, user=user, client=client)
    refusal = await blocked(tx, buckets, now=now)
    if refusal is not None:
        return refusal
    step = totp.matching_step(open_secret(realm, pending), code, now=now)
    if step is None:
        return await _wrong_code(tx, realm, user, buckets, client, _CONFIRM)
    await forgive(tx, buckets)
    (await tx.get_one(UserSession, person.session_id)).second_factor = True
    await end_sessions(
        tx, [user.id], reason="second-factor-changed", now=now, spare=person.session_id
    )
    await journal.granted(tx, _CONFIRM, user, client)
    return await _put_in_use(tx, pending, step, now=now)


async def _wrong_code(
    tx: AsyncSession,
    realm: Realm,
    user: User,
    buckets: list[Bucket],
    client: Client,
    action: str,
) -> DomainError:
    wrong = InvalidCode()
    await count_failure(tx, buckets, now=realm.clock())
    await journal.refused(tx, action, user, client, why=wrong)
    return wrong


async def _pending(tx: AsyncSession, user_id: UUID) -> TotpCredential | None:
    return await tx.scalar(
        select(TotpCredential).where(
            TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_(None)
        )
    )


async def _put_in_use(
    tx: AsyncSession, credential: TotpCredential, step: int, *, now: datetime
) -> list[str]:
    """Make the pending secret the one that counts; gives the recovery codes that go with it."""
    user_id = credential.user_id
    await tx.execute(
        delete(TotpCredential).where(
            TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None)
        )
    )
    credential.confirmed_at, credential.last_step = now, step
    codes = opaque.new_recovery_codes()
    await tx.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    tx.add_all(
        RecoveryCode(user_id=user_id, code_hash=opaque.recovery_digest(code), created_at=now)
        for code in codes
    )
    return codes
