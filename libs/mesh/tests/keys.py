"""Signing keys and tokens, good and forged, made by hand so that any part can be wrong."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "platform"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segments(header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    return ".".join(encode(json.dumps(part).encode()) for part in (header, claims))


def claims(**changes: object) -> dict[str, object]:
    """Claims of a good token; a change of None takes the claim away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": [AUDIENCE], "sub": "alice", "iat": now, "exp": now + 600}
    return {name: value for name, value in (good | changes).items() if value is not None}


class SigningKey:
    """An RSA key, its JWK, and tokens signed by it."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, str]:
        numbers = self._key.public_key().public_numbers()
        modulus = encode(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": modulus,
            "e": "AQAB",
        }

    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, **changes: object) -> str:
        return self.signed({"alg": "RS256", "typ": "JWT", "kid": self.kid}, claims(**changes))

    def signed(
        self,
        header: Mapping[str, object],
        body: Mapping[str, object],
        algorithm: hashes.HashAlgorithm | None = None,
    ) -> str:
        """A token whose header may claim anything; the signature is PKCS #1 v1.5."""
        text = segments(header, body)
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), algorithm or hashes.SHA256())
        return f"{text}.{encode(signature)}"

    def signed_pss(self, header: Mapping[str, object], body: Mapping[str, object]) -> str:
        text = segments(header, body)
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
        return f"{text}.{encode(self._key.sign(text.encode(), scheme, hashes.SHA256()))}"


def hmac_signed(secret: bytes, header: Mapping[str, object], body: Mapping[str, object]) -> str:
    text = segments(header, body)
    return f"{text}.{encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def key_set(*keys: SigningKey) -> str:
    return json.dumps({"keys": [key.jwk() for key in keys]})


@cache
def signing_key(kid: str) -> SigningKey:
    """The same key for the same name, since making one takes a while."""
    return SigningKey(kid)
