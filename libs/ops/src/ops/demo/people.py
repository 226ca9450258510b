"""The demo's people as they ask the platform: each request with the token of who makes it."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import uuid4

import httpx

from ops import api
from ops.errors import OpsError
from ops.people import Person, find

Tokens = Callable[[Person], str]

# A process that was killed is back by then.
PATIENCE = 60.0
STALE = 412


class People:
    """Whoever has a part in the demo. `tokens` logs them in, once each."""

    def __init__(self, client: httpx.Client, tokens: Tokens) -> None:
        self._client = client
        self._tokens = tokens
        self._held: dict[str, str] = {}

    def get(self, alias: str, path: str, **query: str) -> Mapping[str, Any]:
        """The answer to a question; OpsError when it is refused."""
        return self._ask(alias, "GET", path, params=query).json()

    def download(self, alias: str, path: str) -> bytes:
        """A document to the byte; OpsError when it is refused."""
        return self._ask(alias, "GET", path).content

    def post(self, alias: str, path: str, body: object = None) -> Mapping[str, Any]:
        """The answer to something done, which happens once; OpsError when it is refused."""
        headers = {"idempotency-key": str(uuid4())}
        return self._ask(alias, "POST", path, json=body, headers=headers).json()

    def put(self, alias: str, path: str, body: object, *, of: str, seen: int) -> Mapping[str, Any]:
        """What is at `of` with something kept for it, on the version that was seen.

        OpsError when it is refused. Only we change it: one that comes too late, after it was sent
        before, is found there.
        """
        headers = {"if-match": f'"{seen}"'}
        response, repeated = self._send(alias, "PUT", path, json=body, headers=headers)
        if repeated and response.status_code == STALE:
            return self.get(alias, of)
        return api.accepted(response, f"PUT {path}")

    def _ask(self, alias: str, method: str, path: str, **request: Any) -> httpx.Response:
        response, _ = self._send(alias, method, path, **request)
        api.accepted(response, f"{method} {path}")
        return response

    def _send(
        self, alias: str, method: str, path: str, **request: Any
    ) -> tuple[httpx.Response, bool]:
        if alias not in self._held:
            self._held[alias] = self._tokens(find(alias))
        headers = {
            "authorization": f"Bearer {self._held[alias]}",
            **cast("dict[str, str]", request.pop("headers", {})),
        }
        return api.patiently(
            lambda: self._client.request(method, path, headers=headers, **request),
            seconds=PATIENCE,
        )


def log_in(client: httpx.Client, person: Person) -> str:
    """A token by password alone, of a platform whose second factors we don't know."""
    body = {"username": person.username, "password": person.password}
    what = f"Logging in as {person.username}"
    response, _ = api.patiently(lambda: client.post("/auth/login", json=body), seconds=PATIENCE)
    answer = api.accepted(response, what)
    if "access_token" not in answer:
        raise OpsError(f"{what} brought no token: is {client.base_url} a platform of Ubertruck?")
    return str(answer["access_token"])
