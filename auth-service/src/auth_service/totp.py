"""Time-based one-time passwords (RFC 6238): six digits, steps of 30 s, one step of leeway."""

import hmac
from datetime import datetime
from typing import Final

from pyotp import random_base32
from pyotp.totp import TOTP

STEP_SECONDS: Final = 30
NO_STEP: Final = 0  # before any code was used
_LEEWAY_STEPS: Final = 1
_SECRET_CHARACTERS: Final = 32  # of base32: 160 bits


def new_secret() -> str:
    """A fresh base32 secret of 160 bits."""
    return random_base32(_SECRET_CHARACTERS)


def uri(secret: str, *, username: str, issuer: str) -> str:
    """The `otpauth://` address that an authenticator app reads, usually from a QR code."""
    return TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


def code_at(secret: str, moment: datetime) -> str:
    """The code that is shown at this moment."""
    return TOTP(secret).at(moment)


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The step whose code this is, or None; whether it was used before is the caller's to ask."""
    totp = TOTP(secret)
    present = int(now.timestamp()) // STEP_SECONDS
    steps = range(present - _LEEWAY_STEPS, present + _LEEWAY_STEPS + 1)
    matching = [
        s for s in steps if hmac.compare_digest(totp.generate_otp(s).encode(), code.encode())
    ]
    return max(matching, default=None)
