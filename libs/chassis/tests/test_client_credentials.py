import base64
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.client_credentials import ClientCredentials, TokenUnavailable


class TokenEndpoint:
    """auth-service's token endpoint; `answer` is what it says next, None that it is down."""

    def __init__(self, **answer: Any) -> None:
        self.answer: dict[str, Any] | None = answer
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.answer is None:
            raise httpx.ConnectError("down")
        return httpx.Response(200, json=self.answer)


def client(endpoint: TokenEndpoint, secret_file: Path) -> ClientCredentials:
    return ClientCredentials(
        token_url="http://auth.test/auth/token",
        client_id="booking",
        secret_file=secret_file,
        transport=httpx.MockTransport(endpoint),
    )


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    return path


async def test_a_token_is_asked_for_once(secret_file: Path) -> None:
    endpoint = TokenEndpoint(access_token="t1", expires_in=600)
    ask = client(endpoint, secret_file)
    assert [await ask() for _ in range(3)] == ["t1"] * 3
    (request,) = endpoint.asked
    sent = base64.b64decode(request.headers["authorization"].removeprefix("Basic "))
    assert sent == b"booking:s3cret"


async def test_a_token_is_renewed_before_it_expires(secret_file: Path) -> None:
    endpoint = TokenEndpoint(access_token="t1", expires_in=30)
    ask = client(endpoint, secret_file)
    await ask()
    endpoint.answer = {"access_token": "t2", "expires_in": 600}
    assert await ask() == "t2"


async def test_the_last_token_serves_while_auth_service_is_down(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = TokenEndpoint(access_token="t1", expires_in=30)
    ask = client(endpoint, secret_file)
    await ask()
    endpoint.answer = None
    assert await ask() == "t1"
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(TokenUnavailable):
        await ask()


async def test_without_a_secret_there_is_no_token(tmp_path: Path) -> None:
    endpoint = TokenEndpoint(access_token="t1", expires_in=600)
    with pytest.raises(TokenUnavailable):
        await client(endpoint, tmp_path / "missing")()
