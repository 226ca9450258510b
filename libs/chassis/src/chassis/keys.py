"""Public keys of auth-service: cached in memory, refreshed in the background, kept on disk.

The copy on disk lets a process that starts while auth-service is down verify tokens at once.
"""

import asyncio
import contextlib
import logging
import os
import random
import time
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import Gauge
from pydantic import BaseModel

from chassis.errors import Unavailable
from chassis.tokens import BadKey, Key, build_key

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 60.0
FORCED_REFRESH_SECONDS = 30.0
FIRST_RETRY_SECONDS = 1.0

ISSUER = "auth-service"
CONFIRMED = Gauge(
    "keys_confirmed_timestamp_seconds", "When an issuer last told its keys; 0 is never", ["issuer"]
)


class KeysUnavailable(Unavailable):
    """No key of auth-service is known yet, so no token can be checked."""

    type = "keys-unavailable"
    title = "Tokens can't be checked yet"


class _JwkSet(BaseModel):
    keys: list[dict[str, Any]]


def parse_jwks(document: bytes) -> dict[str, Key]:
    """The usable keys of a JWK set by key id; keys of other kinds are passed over.

    Raises `ValueError` when the document isn't a JWK set.
    """
    keys: dict[str, Key] = {}
    for entry in _JwkSet.model_validate_json(document).keys:
        kid = entry.get("kid")
        if isinstance(kid, str):
            with contextlib.suppress(BadKey):
                keys[kid] = build_key(entry)
    return keys


class RemoteKeys:
    """A `KeySource` over a JWKS address, with the last good answer in `copy`."""

    def __init__(
        self, url: str, *, copy: Path, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url = url
        self._copy = copy
        self._transport = transport
        self._keys: dict[str, Key] = {}
        self._generation = 0
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def generation(self) -> int:
        """Grows whenever a key goes away."""
        return self._generation

    def get(self, kid: str) -> Key | None:
        """The key named `kid`, if it is known."""
        return self._keys.get(kid)

    async def start(self) -> None:
        """Load the copy, ask auth-service once, and keep asking in the background."""
        CONFIRMED.labels(ISSUER).set(0)
        self._load_copy()
        await self._look()
        self._task = asyncio.create_task(self._keep_fresh(), name="jwks-refresh")

    async def stop(self) -> None:
        """End the background refresh."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """Ask now, for an unknown key id; at most one request in 30 s, whoever asks.

        Raises `KeysUnavailable` while no key was ever known: then nothing can be said of a token.
        """
        async with self._looking:
            if time.monotonic() - self._looked_at >= FORCED_REFRESH_SECONDS:
                await self._look()
        if not self._keys:
            raise KeysUnavailable

    async def _keep_fresh(self) -> None:
        while True:
            pause = REFRESH_SECONDS if self._keys else FIRST_RETRY_SECONDS
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads load
            await self._look()

    async def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            async with httpx.AsyncClient(transport=self._transport, timeout=2) as client:
                answer = (await client.get(self._url)).raise_for_status()
            keys = parse_jwks(answer.content)
        except (httpx.HTTPError, ValueError) as error:
            logger.warning("The keys of auth-service can't be read: %s", type(error).__name__)
            return
        if keys:
            self._take(keys)
            CONFIRMED.labels(ISSUER).set_to_current_time()
            await asyncio.to_thread(self._save_copy, answer.content)

    def _take(self, keys: dict[str, Key]) -> None:
        if not self._keys.keys() <= keys.keys():
            self._generation += 1
        self._keys = {kid: self._keys.get(kid, key) for kid, key in keys.items()}

    def _load_copy(self) -> None:
        try:
            self._take(parse_jwks(self._copy.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            logger.warning("The copy of the keys is unusable: %s", type(error).__name__)

    def _save_copy(self, content: bytes) -> None:
        fresh = self._copy.with_name(f"{self._copy.name}.{os.getpid()}")
        try:
            self._copy.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(content)
            fresh.replace(self._copy)
        except OSError as error:
            logger.warning("The copy of the keys can't be written: %s", error.strerror)
