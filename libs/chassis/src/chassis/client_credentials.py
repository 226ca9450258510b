"""A service's own token: OAuth 2.0 client credentials (RFC 6749 section 4.4) at auth-service."""

import asyncio
import time
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from chassis.errors import Unavailable
from chassis.settings import ServiceSettings

# A token is replaced this long before it expires, so that none runs out on its way.
_RENEW_SECONDS = 60.0


class TokenUnavailable(Unavailable):
    """auth-service gave no token, and the last one has expired."""

    type = "token-unavailable"
    title = "No token for calls between services"


class _Answer(BaseModel):
    access_token: str
    expires_in: float


class ClientCredentials:
    """Call it for a token; it is asked for once and kept until shortly before it expires."""

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        secret_file: Path,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._token_url = token_url
        self._client_id = client_id
        self._secret_file = secret_file
        self._transport = transport
        self._token = ""
        self._expires_at = float("-inf")
        self._asking = asyncio.Lock()

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> "ClientCredentials":
        """The client that the settings name; without a secret file every call fails."""
        return cls(
            token_url=settings.token_url,
            client_id=settings.client_id,
            secret_file=settings.client_secret_file or Path("/nonexistent"),
        )

    async def __call__(self) -> str:
        """A token that is good for a minute or more; raises `TokenUnavailable`."""
        async with self._asking:
            if time.monotonic() >= self._expires_at - _RENEW_SECONDS:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        try:
            answer = await self._ask()
        except (httpx.HTTPError, ValidationError, OSError) as error:
            if time.monotonic() < self._expires_at:
                return
            raise TokenUnavailable from error
        self._token = answer.access_token
        self._expires_at = time.monotonic() + answer.expires_in

    async def _ask(self) -> _Answer:
        # Read each time: the secret is rotated by replacing the file.
        secret = self._secret_file.read_text().strip()
        async with httpx.AsyncClient(transport=self._transport, timeout=3) as client:
            answer = await client.post(
                self._token_url,
                data={"grant_type": "client_credentials"},
                auth=(self._client_id, secret),
            )
        return _Answer.model_validate_json(answer.raise_for_status().content)
