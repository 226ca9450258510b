"""Opaque secrets that are handed out once and kept only as hashes.

They carry 80 bits or more of randomness, so a plain SHA-256 can't be turned back by guessing.
"""

import base64
import hashlib
import secrets
from typing import Final

_TOKEN_BYTES: Final = 32
_RECOVERY_BYTES: Final = 10
_RECOVERY_GROUP: Final = 4
RECOVERY_CODES: Final = 10


def new_token() -> str:
    """256 random bits, safe in URLs."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 bits in groups of four, easy to write down."""
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def digest(secret: str) -> bytes:
    """What is kept of a secret: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()


def recovery_digest(code: str) -> bytes:
    """As `digest`, whatever case and spacing a person typed."""
    return digest("".join(code.split()).replace("-", "").casefold())


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    groups = (text[i : i + _RECOVERY_GROUP] for i in range(0, len(text), _RECOVERY_GROUP))
    return "-".join(groups)
