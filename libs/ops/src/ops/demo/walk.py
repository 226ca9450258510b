"""`ubertruck demo --curl`: a shipper books transport, each request shown as a curl line."""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx

from ops import api
from ops.asking import url_of
from ops.console import Screen
from ops.invocation import command
from ops.people import Person, find
from ops.state import StateFolder

TRANSPORT: Mapping[str, object] = {
    "pickup_location": {"lat": 21.2514, "lng": 81.6296, "address": "Siltara Yard 4, Raipur"},
    "drop_location": {"lat": 21.1458, "lng": 79.0882, "address": "Butibori Plant 2, Nagpur"},
    "material_type": "coal",
    "quantity_mt": 120.5,
}
SHOWN_OF_A_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it is sent, and as it is shown."""

    method: str
    path: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] | None = None

    def as_curl(self, url: str, *, with_token: bool) -> str:
        """A line that can be pasted into a shell where TOKEN is set."""
        parts = ["curl -sS"]
        if self.method != "GET" and self.body is None:
            parts.append(f"-X {self.method}")
        parts.append(shlex.quote(f"{url}{self.path}"))
        if with_token:
            parts.append('-H "authorization: Bearer $TOKEN"')
        parts += [f"-H {shlex.quote(f'{k}: {v}')}" for k, v in (self.headers or {}).items()]
        if self.body is not None:
            parts.append("-H 'content-type: application/json'")
            parts.append(f"-d {shlex.quote(json.dumps(self.body))}")
        return " \\\n  ".join(parts)


def walk(folder: StateFolder, url: str | None) -> None:
    """Walk through booking at `url`, or at the platform that runs."""
    found = url or url_of(folder)
    token = command(folder, "token", "--as", "shipper")
    with api.client(found) as client:
        Walk(found, client, Screen(), token).run(find("shipper"))


class Walk:
    """One walk through the platform at `url`. `token_command` prints a token in a shell."""

    def __init__(self, url: str, client: httpx.Client, screen: Screen, token_command: str) -> None:
        self._url = url
        self._client = client
        self._screen = screen
        self._token_command = token_command

    def run(self, shipper: Person) -> None:
        """Log in, ask for a price, book at that price, look at it, list; OpsError at a refusal."""
        self._log_in(shipper)
        quote = self._ask("A price", Request(method="POST", path="/v1/quotes", body=TRANSPORT))
        booking = self._ask(
            "A booking at that price; repeating the line books nothing twice",
            Request(
                method="POST",
                path="/v1/booking",
                body={"quote_id": quote["quote_id"]},
                headers={"idempotency-key": str(uuid4())},
            ),
        )
        self._ask("The booking", Request(method="GET", path=f"/v1/booking/{booking['booking_id']}"))
        self._ask("The newest two", Request(method="GET", path="/v1/booking?limit=2"))

    def _log_in(self, person: Person) -> None:
        body = {"username": person.username, "password": person.password}
        answer = self._ask(
            f"{person.username} of {person.company.name} logs in",
            Request(method="POST", path="/auth/login", body=body),
        )
        self._client.headers["authorization"] = f"Bearer {answer['access_token']}"
        self._screen.say(f"TOKEN=$({self._token_command})\n")

    def _ask(self, what: str, request: Request) -> Mapping[str, object]:
        with_token = "authorization" in self._client.headers
        self._screen.say(f"# {what}")
        self._screen.say(request.as_curl(self._url, with_token=with_token))
        began = time.monotonic()
        response = self._client.request(
            request.method, request.path, json=request.body, headers=request.headers
        )
        took = (time.monotonic() - began) * 1000
        answer = api.accepted(response, what)
        self._screen.say(f"# {response.status_code} in {took:.0f} ms")
        self._screen.say(json.dumps(_shortened(answer), indent=2, ensure_ascii=False) + "\n")
        return answer


def _shortened(answer: Mapping[str, object]) -> Mapping[str, object]:
    return {
        name: f"{value[:SHOWN_OF_A_TOKEN]}…"
        if name.endswith("_token") and isinstance(value, str)
        else value
        for name, value in answer.items()
    }
