"""The demo's people as they ask the platform: each request with the token of who makes it."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import uuid4

import httpx

from ops import api
from ops.errors import OpsError
from ops.people import Person, find

Tokens = Callable[[Person], str]


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

    def put(self, alias: str, path: str, body: object, *, seen: int) -> Mapping[str, Any]:
        """The answer to something kept, on the version that was seen; OpsError when refused."""
        headers = {"if-match": f'"{seen}"'}
        return self._ask(alias, "PUT", path, json=body, headers=headers).json()

    def _ask(self, alias: str, method: str, path: str, **request: Any) -> httpx.Response:
        if alias not in self._held:
            self._held[alias] = self._tokens(find(alias))
        headers = {
            "authorization": f"Bearer {self._held[alias]}",
            **cast("dict[str, str]", request.pop("headers", {})),
        }
        response = self._client.request(method, path, headers=headers, **request)
        api.accepted(response, f"{method} {path}")
        return response


def log_in(client: httpx.Client, person: Person) -> str:
    """A token by password alone, of a platform whose second factors we don't know."""
    body = {"username": person.username, "password": person.password}
    what = f"Logging in as {person.username}"
    answer = api.accepted(client.post("/auth/login", json=body), what)
    if "access_token" not in answer:
        raise OpsError(f"{what} brought no token: is {client.base_url} a platform of Ubertruck?")
    return str(answer["access_token"])
