"""Signing keys: sealed in the database, published ahead of their use, and replaced on command.

Every process looks at the table every few seconds, and at once when it meets an unknown key id, so
a rotation needs no restart. While the database is away, the keys that were last seen go on.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from auth_service.models import SigningKey
from auth_service.vault import Vault
from chassis.db import Database, DatabaseUnavailable
from chassis.errors import Unavailable
from chassis.tokens import Key, Signer, build_key

logger = logging.getLogger(__name__)

PURPOSE: Final = "signing key"
LOOK_SECONDS: Final = 5.0
FORCED_LOOK_SECONDS: Final = 1.0


class NoSigningKey(Unavailable):
    """No key is ready to sign."""

    type = "no-signing-key"
    title = "Tokens can't be signed at the moment"


class SigningKeys:
    """The keys as this process last saw them; a `chassis.tokens.KeySource`."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._rows: Sequence[SigningKey] = ()
        self._public: dict[str, Key] = {}
        self._signers: dict[str, Signer] = {}
        self._generation = 0
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    @property
    def generation(self) -> int:
        """Grows whenever a key goes away."""
        return self._generation

    def get(self, kid: str) -> Key | None:
        """The public key of this name, if it is published."""
        return self._public.get(kid)

    async def refresh(self) -> None:
        """Look for an unknown key id; at most once a second, whoever asks."""
        await self._look(FORCED_LOOK_SECONDS)

    async def freshen(self) -> None:
        """Look again if the last look is some seconds ago."""
        await self._look(LOOK_SECONDS)

    async def look(self) -> None:
        """Look now."""
        await self._look(0)

    def published(self) -> list[dict[str, Any]]:
        """The public halves, youngest first."""
        now = self._clock()
        return [row.public_jwk for row in self._rows if row.is_published(now)]

    async def signer(self, vault: Vault) -> Signer:
        """The key that signs now: the one that was activated last."""
        row = signing_key(self._rows, now=self._clock())
        if row is None:
            raise NoSigningKey
        if row.kid not in self._signers:
            self._signers[row.kid] = await asyncio.to_thread(_build_signer, row, vault)
        return self._signers[row.kid]

    async def _look(self, least_pause: float) -> None:
        if self._is_fresh(least_pause):
            return
        async with self._looking:
            if self._is_fresh(least_pause):
                return
            try:
                async with self._database.begin() as tx:
                    order = SigningKey.activates_at.desc(), SigningKey.created_at.desc()
                    rows = (await tx.scalars(select(SigningKey).order_by(*order))).all()
            except DatabaseUnavailable:
                logger.warning("signing keys not read again")
            else:
                self._take(rows)
            self._looked_at = time.monotonic()

    def _is_fresh(self, least_pause: float) -> bool:
        return time.monotonic() - self._looked_at < least_pause

    def _take(self, rows: Sequence[SigningKey]) -> None:
        now = self._clock()
        published = {row.kid: row for row in rows if row.is_published(now)}
        if not self._public.keys() <= published.keys():
            self._generation += 1
        self._public = {
            kid: self._public.get(kid) or build_key(row.public_jwk)
            for kid, row in published.items()
        }
        self._signers = {kid: key for kid, key in self._signers.items() if kid in published}
        self._rows = rows


def signing_key(rows: Sequence[SigningKey], *, now: datetime) -> SigningKey | None:
    """The one that signs now, of rows that are ordered youngest first."""
    ready = (row for row in rows if row.activates_at <= now and row.is_published(now))
    return next((row for row in ready if row.sealed_private is not None), None)


def _build_signer(row: SigningKey, vault: Vault) -> Signer:
    pem = vault.open(row.sealed_private or b"", purpose=PURPOSE, owner=row.kid).decode()
    return Signer(private_key_pem=pem, kid=row.kid)
