"""Sessions of demo people: kept, refreshed, with codes that are never used twice."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pyotp.totp import TOTP

from ops.credentials import ensure_totp
from ops.errors import OpsError
from ops.people import find
from ops.sessions import Sessions
from ops.state import StateFolder, read_json

from .scripts import folder_in

URL = "http://edge"
TOKENS = {"expires_in": 600, "refresh_token": "r1"}


@dataclass
class FakeAuth:
    """auth-service as sessions see it: what it was asked, and a clock to turn."""

    folder: StateFolder
    now: float = 1_800_000_000.0
    asked: list[tuple[str, dict[str, str]]] = field(
        default_factory=list[tuple[str, dict[str, str]]]
    )
    refuses: str = ""
    slept: list[float] = field(default_factory=list[float])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append((request.url.path, body))
        assert request.headers["x-device-id"].startswith("ubertruck-")
        if request.url.path == self.refuses:
            return httpx.Response(401, json={"title": "Wrong", "detail": "No."})
        if request.url.path == "/auth/login" and find(body["username"][:-5]).has_second_factor:
            return httpx.Response(200, json={"mfa_required": True, "challenge": "c"})
        return httpx.Response(200, json={**TOKENS, "access_token": f"token {len(self.asked)}"})

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def sessions(self) -> Sessions:
        """As a command makes them anew each time."""
        return Sessions(
            self.folder,
            URL,
            transport=httpx.MockTransport(self),
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def auth(tmp_path: Path) -> FakeAuth:
    return FakeAuth(folder_in(tmp_path))


def test_a_token_is_kept_while_it_is_good(auth: FakeAuth) -> None:
    assert auth.sessions.access_token(find("shipper")) == "token 1"
    auth.now += 600 - 121
    assert auth.sessions.access_token(find("shipper")) == "token 1"
    assert auth.paths == ["/auth/login"]


def test_a_token_that_is_nearly_over_is_refreshed(auth: FakeAuth) -> None:
    auth.sessions.access_token(find("shipper"))
    auth.now += 600 - 119
    assert auth.sessions.access_token(find("shipper")) == "token 2"
    assert auth.asked[1] == ("/auth/refresh", {"refresh_token": "r1"})


def test_a_session_that_ended_is_opened_again(auth: FakeAuth) -> None:
    auth.sessions.access_token(find("shipper"))
    auth.now += 600
    auth.refuses = "/auth/refresh"
    assert auth.sessions.access_token(find("shipper")) == "token 3"
    assert auth.paths == ["/auth/login", "/auth/refresh", "/auth/login"]


def test_everybody_has_a_session_of_their_own(auth: FakeAuth) -> None:
    auth.sessions.access_token(find("shipper"))
    auth.sessions.access_token(find("fleet"))
    assert auth.paths == ["/auth/login"] * 2


def test_a_challenge_is_answered_with_a_code(auth: FakeAuth) -> None:
    auth.sessions.access_token(find("operator"))
    secret = ensure_totp(auth.folder, [])["operator@demo"]
    assert auth.asked[1] == (
        "/auth/mfa",
        {"challenge": "c", "code": TOTP(secret).at(int(auth.now))},
    )


def test_a_code_is_never_used_twice(auth: FakeAuth) -> None:
    codes = [auth.sessions.code(find("operator")) for _ in range(3)]
    assert len(set(codes)) == 3
    # The present step and the next one are good at once; for a third the clock must go on.
    assert auth.slept == [30.0]


def test_a_refusal_is_said_in_the_services_words(auth: FakeAuth) -> None:
    auth.refuses = "/auth/login"
    with pytest.raises(
        OpsError, match=r"^Logging in as shipper@demo was answered 401: Wrong: No\.$"
    ):
        auth.sessions.access_token(find("shipper"))
    assert read_json(auth.folder.sessions_file) == {}


def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def test_a_platform_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    transport = httpx.MockTransport(refuse_connection)
    sessions = Sessions(folder_in(tmp_path), URL, transport=transport)
    with pytest.raises(OpsError, match=r"^The platform at http://edge doesn't answer"):
        sessions.access_token(find("shipper"))


def test_an_answer_that_is_no_json_is_a_sentence(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(502, text="<html>"))
    sessions = Sessions(folder_in(tmp_path), URL, transport=transport)
    with pytest.raises(OpsError, match="502: no reason given"):
        sessions.access_token(find("shipper"))


def test_nobody_unknown_logs_in() -> None:
    with pytest.raises(OpsError, match=r"no demo user nobody. There are: shipper,") as error:
        find("nobody")
    assert error.value.code == 2
