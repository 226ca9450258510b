"""Access tokens: RS256 JWTs with the claims of the platform. Only this module imports python-jose.

Header: `alg` RS256, `typ` JWT, `kid`. Claims: sub, iss, aud (a list), exp, iat, jti, tenant_id,
roles, permissions, metadata {ip_address, device_id, session_id}.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jose import jwk, jws, jwt  # noqa: TID251 - this is the one module that may
from jose.exceptions import JOSEError  # noqa: TID251 - this is the one module that may

from chassis.errors import Unauthorized

ALGORITHM = "RS256"
LEEWAY_SECONDS = 30
MINIMUM_KEY_BITS = 2048
CACHE_SECONDS = 60.0
CACHE_TOKENS = 10_000
# Header members that would let a token choose the key it is checked with.
_KEY_MEMBERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})


class BadToken(Unauthorized):
    """A token that can't be believed. The detail never says more than the caller knows."""

    type = "bad-token"
    title = "The access token is not valid"


class BadKey(ValueError):
    """A published key that this platform doesn't use."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as a verified token says."""

    subject: str
    tenant_id: UUID
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    token_id: str
    expires_at: float
    session_id: str | None = None
    device_id: str | None = None


class Key(Protocol):
    """A public key, built once; what python-jose takes for verification."""

    def verify(self, msg: bytes, sig: bytes) -> bool: ...


class KeySource(Protocol):
    """Where public keys come from. `generation` changes whenever a key goes away."""

    @property
    def generation(self) -> int: ...

    def get(self, kid: str) -> Key | None: ...

    async def refresh(self) -> None:
        """Look for new keys, if the last look was long enough ago.

        Raises `Unavailable` when no key was ever known.
        """
        ...


class Signer:
    """A private key, built once, since building it takes seventy times as long as a signature."""

    def __init__(self, *, private_key_pem: str, kid: str) -> None:
        self.kid = kid
        self._key = cast(Any, jwk.construct(private_key_pem, ALGORITHM))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact JWT over `claims`."""
        headers = {"kid": self.kid, "typ": "JWT"}
        return jwt.encode(dict(claims), self._key, algorithm=ALGORITHM, headers=headers)


def sign(claims: Mapping[str, Any], *, private_key_pem: str, kid: str) -> str:
    """A compact JWT over `claims`, for who signs once; others keep a `Signer`."""
    return Signer(private_key_pem=private_key_pem, kid=kid).sign(claims)


def public_jwk(public_key_pem: str, *, kid: str) -> dict[str, str]:
    """The JWK (RFC 7517) that publishes a public key."""
    members = jwk.construct(public_key_pem, ALGORITHM).to_dict()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": ALGORITHM,
        "kid": kid,
        "n": _text(members["n"]),
        "e": _text(members["e"]),
    }


def build_key(document: Mapping[str, Any]) -> Key:
    """A key from its JWK; raises `BadKey` for anything but an RSA signing key of ours."""
    if document.get("kty") != "RSA" or document.get("alg") != ALGORITHM:
        raise BadKey("Only RSA keys for RS256 are used.")
    if document.get("use", "sig") != "sig":
        raise BadKey("The key is not for signatures.")
    try:
        key = cast(Any, jwk.construct(dict(document), ALGORITHM))
    except (JOSEError, ValueError, TypeError) as error:
        raise BadKey("The key can't be read.") from error
    if cast(RSAPublicKey, key.prepared_key).key_size < MINIMUM_KEY_BITS:
        raise BadKey(f"The key is shorter than {MINIMUM_KEY_BITS} bits.")
    return cast(Key, key)


class TokenVerifier:
    """Checks tokens against cached keys, and remembers good ones for at most a minute.

    The memory is bounded, never outlives the token, and is emptied when a key is retired.
    """

    def __init__(self, keys: KeySource, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._cache: OrderedDict[str, tuple[Principal, float]] = OrderedDict()
        self._generation = keys.generation

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for; raises `BadToken`."""
        cached = self._cached(token)
        if cached is not None:
            return cached
        kid = _checked_kid(token)
        key = self._keys.get(kid)
        if key is None:
            await self._keys.refresh()
            key = self._keys.get(kid)
        if key is None:
            raise BadToken
        principal = _principal(self._claims(token, key))
        self._remember(token, principal)
        return principal

    def _claims(self, token: str, key: Key) -> dict[str, Any]:
        required = ("exp", "iat", "iss", "aud", "sub", "jti")
        try:
            return jwt.decode(
                token,
                cast(Any, key),
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                options={
                    "leeway": LEEWAY_SECONDS,
                    **{f"require_{name}": True for name in required},
                },
            )
        except (JOSEError, ValueError, TypeError, RecursionError) as error:
            raise BadToken from error

    def _cached(self, token: str) -> Principal | None:
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._cache.clear()
        entry = self._cache.get(token)
        if entry is None:
            return None
        principal, until = entry
        if time.time() >= until:
            del self._cache[token]
            return None
        self._cache.move_to_end(token)
        return principal

    def _remember(self, token: str, principal: Principal) -> None:
        until = min(time.time() + CACHE_SECONDS, principal.expires_at)
        self._cache[token] = (principal, until)
        if len(self._cache) > CACHE_TOKENS:
            self._cache.popitem(last=False)


def _checked_kid(token: str) -> str:
    try:
        header = jws.get_unverified_header(token)
    except (JOSEError, ValueError, TypeError, RecursionError) as error:
        raise BadToken from error
    kid = header.get("kid")
    if (
        header.get("alg") != ALGORITHM
        or header.get("typ") != "JWT"
        or not isinstance(kid, str)
        or not _KEY_MEMBERS.isdisjoint(header)
    ):
        raise BadToken
    return kid


def _principal(claims: dict[str, Any]) -> Principal:
    try:
        metadata = cast("dict[str, Any]", claims.get("metadata") or {})
        return Principal(
            subject=str(claims["sub"]),
            tenant_id=UUID(claims["tenant_id"]),
            roles=_names(claims["roles"]),
            permissions=_names(claims["permissions"]),
            token_id=str(claims["jti"]),
            expires_at=float(claims["exp"]),
            session_id=_optional(metadata.get("session_id")),
            device_id=_optional(metadata.get("device_id")),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadToken from error


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("A list of names is expected.")
    return tuple(str(name) for name in cast("list[object]", value))


def _optional(value: object) -> str | None:
    return None if value is None else str(value)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
