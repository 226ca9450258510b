"""How signing keys come and go. No token that is still valid is ever refused for it.

A new key is published first and signs later, when every verifier has it; the old one stays
published until the last token that it signed has expired.
"""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.keys import PURPOSE, SigningKeys, signing_key
from auth_service.models import SigningKey
from auth_service.realm import Realm
from chassis.audit import record_audit
from chassis.tokens import public_jwk

# Verifiers ask for keys every minute or so; twice that, and none has an old copy.
ACTIVATE_IN: Final = timedelta(seconds=150)
# Clocks differ, and verifiers allow some leeway.
_OVERLAP: Final = timedelta(minutes=2)
_LOCK: Final = int.from_bytes(b"keys", "big")
_PUBLIC_EXPONENT: Final = 65537
_ACTOR: Final = "operator:keys"


class CannotRetire(Exception):
    """Why a key can't be retired, as one sentence for a person."""


async def fresh_keys(realm: Realm) -> SigningKeys:
    """The keys as they are now; the first one is made here, when somebody first asks for any."""
    await realm.keys.freshen()
    if not realm.keys.published():
        await _make_first(realm)
        await realm.keys.look()
    return realm.keys


async def _make_first(realm: Realm) -> None:
    """Make the first key unless there is one; several processes may start at once."""
    key = await _new_key(realm)
    async with realm.database.begin() as tx:
        await _lock(tx)
        if not await _keys(tx):
            key.created_at = key.activates_at = realm.clock()
            tx.add(key)
            await _audit(tx, "key.create", key)


async def rotate(*, realm: Realm, activate_in: timedelta = ACTIVATE_IN) -> SigningKey:
    """Publish a new key that signs after `activate_in`; the others retire when it is safe."""
    key = await _new_key(realm)
    async with realm.database.begin() as tx:
        await _lock(tx)
        others = await _keys(tx)
        # Counted from now, when it is published, and not from when its making began.
        key.created_at = realm.clock()
        # A key that waits for its turn keeps it: turns are taken in the order of rotations.
        turns = [other.activates_at for other in others]
        key.activates_at = max([key.created_at + activate_in, *turns])
        last_use = key.activates_at + timedelta(seconds=realm.settings.access_token_seconds)
        for other in others:
            other.retires_at = other.retires_at or last_use + _OVERLAP
        tx.add(key)
        await _audit(tx, "key.rotate", key)
    return key


async def retire(*, realm: Realm, kid: str) -> None:
    """Stop believing a key at once, say because it leaked. Tokens that it signed are refused."""
    now = realm.clock()
    async with realm.database.begin() as tx:
        await _lock(tx)
        keys = [key for key in await _keys(tx) if key.is_published(now)]
        key = next((key for key in keys if key.kid == kid), None)
        if key is None:
            raise CannotRetire(f"There is no published key {kid}.")
        others = [other for other in keys if other is not key]
        if not others:
            raise CannotRetire(f"{kid} is the only key: rotate first.")
        key.retires_at, key.sealed_private = now, None
        if signing_key(others, now=now) is None:
            others[0].activates_at = now
        await _audit(tx, "key.retire", key)


async def forget_retired(tx: AsyncSession, *, now: datetime) -> None:
    """Wipe the private halves of keys that are retired."""
    retired = SigningKey.retires_at <= now, SigningKey.sealed_private.is_not(None)
    await tx.execute(update(SigningKey).where(*retired).values(sealed_private=None))


async def list_keys(*, realm: Realm) -> Sequence[SigningKey]:
    """Every key there ever was, youngest first."""
    async with realm.database.begin() as tx:
        return await _keys(tx)


async def _keys(tx: AsyncSession) -> Sequence[SigningKey]:
    order = SigningKey.activates_at.desc(), SigningKey.created_at.desc()
    return (await tx.scalars(select(SigningKey).order_by(*order))).all()


async def _lock(tx: AsyncSession) -> None:
    await tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def _audit(tx: AsyncSession, action: str, key: SigningKey) -> None:
    await record_audit(tx, actor=_ACTOR, action=action, target=f"signing-key/{key.kid}")


async def _new_key(realm: Realm) -> SigningKey:
    bits = realm.settings.signing_key_bits
    private, jwk = await asyncio.to_thread(_generate, bits)
    # The id is an argument of `keys retire`, and one with a dash in front reads as an option.
    while jwk["kid"].startswith("-"):
        private, jwk = await asyncio.to_thread(_generate, bits)
    sealed = realm.vault.seal(private, purpose=PURPOSE, owner=jwk["kid"])
    return SigningKey(kid=jwk["kid"], sealed_private=sealed, public_jwk=jwk)


def _generate(bits: int) -> tuple[bytes, dict[str, Any]]:
    private = rsa.generate_private_key(public_exponent=_PUBLIC_EXPONENT, key_size=bits)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = public_jwk(public.decode(), kid="")
    return pem, {**jwk, "kid": _thumbprint(jwk)}


def _thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: the same key has the same name wherever it is computed."""
    members = {name: jwk[name] for name in ("e", "kty", "n")}
    hashed = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
