"""An issuer for tests: signs tokens as auth-service does, and is a `KeySource` besides."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis.tokens import Key, Signer, build_key, public_jwk

ISSUER = "https://auth.ubertruck.com"
AUDIENCE = "api.ubertruck.com"


@lru_cache
def key_pair(name: str = "test") -> tuple[str, str]:
    """Private and public PEM; one pair a name and process, since making one is slow."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return (
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


class Issuer:
    """Signs whatever a test asks for; `jwks` is what it publishes."""

    def __init__(self, kid: str = "test") -> None:
        self.kid = kid
        self.private_pem, self.public_pem = key_pair(kid)
        self._signer = Signer(private_key_pem=self.private_pem, kid=kid)
        self._keys: dict[str, Key] = {kid: build_key(public_jwk(self.public_pem, kid=kid))}
        self.generation = 0
        self.refreshes = 0

    @property
    def jwks(self) -> dict[str, Any]:
        """The JWK set with this issuer's key."""
        return {"keys": [public_jwk(self.public_pem, kid=self.kid)]}

    def get(self, kid: str) -> Key | None:
        """As a `KeySource`."""
        return self._keys.get(kid)

    async def refresh(self) -> None:
        """As a `KeySource`: counts how often it was asked."""
        self.refreshes += 1

    def retire(self) -> None:
        """Take the key away, as a rotation's end does."""
        self._keys.clear()
        self.generation += 1

    def claims(
        self,
        *,
        permissions: Sequence[str] = (),
        roles: Sequence[str] = ("shipper",),
        tenant_id: UUID | None = None,
        subject: UUID | str | None = None,
        lifetime: float = 600,
        **changes: Any,
    ) -> dict[str, Any]:
        """Claims as auth-service makes them; `changes` overrides or adds."""
        now = int(time.time())
        return {
            "sub": str(subject or uuid4()),
            "iss": ISSUER,
            "aud": [AUDIENCE],
            "exp": int(now + lifetime),
            "iat": now,
            "jti": str(uuid4()),
            "tenant_id": str(tenant_id or uuid4()),
            "roles": list(roles),
            "permissions": list(permissions),
            "metadata": {"ip_address": "127.0.0.1", "device_id": None, "session_id": None},
            **changes,
        }

    def token(self, **wanted: Any) -> str:
        """A signed token over `claims(**wanted)`."""
        return self._signer.sign(self.claims(**wanted))

    def bearer(self, **wanted: Any) -> dict[str, str]:
        """The Authorization header for `token(**wanted)`."""
        return {"Authorization": f"Bearer {self.token(**wanted)}"}
