"""Argon2id, in threads, a few at a time, so that logins can't take the whole machine."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from auth_service.passwords import normalise
from chassis.errors import Unavailable

T = TypeVar("T")

MAX_WAITING: Final = 200


class TooBusy(Unavailable):
    """More logins wait than can be served in a sensible time."""

    type = "login-busy"
    title = "Too many logins at once"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the password was right, and a fresh hash when the kept one is of older parameters."""

    right: bool
    rehashed: str | None = None


class Hasher:
    """Hashes and verifies passwords; call it outside any transaction."""

    def __init__(self, *, memory_kib: int, rounds: int, at_once: int) -> None:
        self._argon2 = PasswordHasher(
            time_cost=rounds, memory_cost=memory_kib, parallelism=1, type=Type.ID
        )
        self._slots = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._decoy = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """A new hash in PHC form, with its own salt."""
        return await self._in_thread(partial(self._argon2.hash, normalise(password)))

    async def verify(self, kept: str | None, password: str) -> Verdict:
        """Compare; without a kept hash do the same work and say no."""
        matches = partial(self._matches, kept or self._decoy, normalise(password))
        if not await self._in_thread(matches) or kept is None:
            return Verdict(right=False)
        if self._argon2.check_needs_rehash(kept):
            return Verdict(right=True, rehashed=await self.hash(password))
        return Verdict(right=True)

    def _matches(self, kept: str, password: str) -> bool:
        try:
            return self._argon2.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooBusy(retry_after=2)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
