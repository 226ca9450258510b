"""What one process needs to know people and to vouch for them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from auth_service.hashing import Hasher
from auth_service.keys import SigningKeys
from auth_service.settings import AuthSettings
from auth_service.vault import Vault
from chassis.db import Database

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, aware of its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Realm:
    """Wired once, at start."""

    settings: AuthSettings
    database: Database
    vault: Vault
    hasher: Hasher
    keys: SigningKeys
    clock: Clock = utc_now
