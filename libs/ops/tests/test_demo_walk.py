"""The walk through the platform: every request is shown as a line that can be pasted."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ops import api
from ops.console import Screen
from ops.demo.walk import Request, Walk
from ops.errors import OpsError
from ops.invocation import command
from ops.people import find
from ops.state import StateFolder

URL = "http://edge:8080"
ANSWERS: dict[str, object] = {
    "/auth/login": {"access_token": "a" * 300, "expires_in": 600},
    "/v1/quotes": {"quote_id": "q1"},
    "/v1/booking": {"booking_id": "b1", "items": []},
    "/v1/booking/b1": {"booking_id": "b1"},
}


def walk(answer: Callable[[httpx.Request], httpx.Response]) -> None:
    with api.client(URL, httpx.MockTransport(answer)) as client:
        Walk(URL, client, Screen(), "ubertruck token").run(find("shipper"))


def test_a_booking_is_made_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=ANSWERS[request.url.path])

    walk(answer)
    assert [f"{request.method} {request.url.path}" for request in asked] == [
        "POST /auth/login",
        "POST /v1/quotes",
        "POST /v1/booking",
        "GET /v1/booking/b1",
        "GET /v1/booking",
    ]
    assert all(request.headers["authorization"] == "Bearer " + "a" * 300 for request in asked[1:])
    shown = capsys.readouterr().out
    assert shown.count("curl -sS") == 5
    assert "TOKEN=$(ubertruck token)" in shown
    assert "a" * 30 not in shown


def test_a_refusal_ends_the_walk_with_its_reason() -> None:
    with pytest.raises(OpsError, match=r"logs in was answered 401: Wrong credentials$"):
        walk(lambda _: httpx.Response(401, json={"title": "Wrong credentials"}))


def test_a_line_survives_the_shell() -> None:
    request = Request(
        method="POST",
        path="/v1/quotes?a=1&b=2",
        body={"address": "Farmer's Yard; rm -rf $HOME"},
        headers={"idempotency-key": "k 1"},
    )
    assert what_curl_would_see(request) == [
        "-sS",
        f"{URL}/v1/quotes?a=1&b=2",
        "-H",
        "authorization: Bearer T",
        "-H",
        "idempotency-key: k 1",
        "-H",
        "content-type: application/json",
        "-d",
        '{"address": "Farmer\'s Yard; rm -rf $HOME"}',
    ]


def what_curl_would_see(request: Request) -> list[str]:
    curl = 'curl() { printf "%s\\0" "$@"; }\nTOKEN=T\n'
    pasted = curl + request.as_curl(URL, with_token=True)
    shown = subprocess.run(["/bin/sh"], input=pasted, capture_output=True, text=True, check=True)
    return shown.stdout.split("\0")[:-1]


def test_a_request_without_a_body_says_its_method() -> None:
    request = Request(method="POST", path="/v1/booking/b1/cancel")
    assert "-X POST" in request.as_curl(URL, with_token=False)


def test_the_command_to_type_is_the_one_we_were_called_by(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [".venv/bin/ubertruck"])
    ours = command(StateFolder(tmp_path / ".ubertruck"), "token")
    assert ours == ".venv/bin/ubertruck token"
    other = command(StateFolder(tmp_path / "other place"), "token")
    assert other == f".venv/bin/ubertruck --state '{tmp_path}/other place' token"
