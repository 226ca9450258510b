"""The demo goes on when somebody on the way is away for a moment."""

from collections.abc import Iterator

import httpx
import pytest

from ops import api
from ops.demo import people
from ops.demo.people import People
from ops.errors import OpsError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAUSE", 0)


def asking(answers: Iterator[int | httpx.TransportError]) -> tuple[People, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        now = next(answers)
        if isinstance(now, httpx.TransportError):
            raise now
        return httpx.Response(now, json={"path": request.url.path})

    client = httpx.Client(base_url="http://edge", transport=httpx.MockTransport(answer))
    return People(client, lambda _person: "token"), asked


def test_what_is_sent_again_has_the_same_key() -> None:
    asker, asked = asking(iter([503, httpx.ConnectError("gone"), httpx.ReadError("gone"), 200]))
    assert asker.post("shipper", "/v1/booking", {}) == {"path": "/v1/booking"}
    assert len(asked) == 4
    assert len({request.headers["idempotency-key"] for request in asked}) == 1


def test_a_refusal_is_not_asked_about_again() -> None:
    asker, asked = asking(iter([409]))
    with pytest.raises(OpsError, match="answered 409"):
        asker.post("shipper", "/v1/booking", {})
    assert len(asked) == 1


def test_what_was_kept_the_first_time_is_looked_at() -> None:
    asker, _ = asking(iter([httpx.ReadError("gone"), 412, 200]))
    assert asker.put("fleet", "/v1/trucks/1/documents/a", {}, of="/v1/trucks/1", seen=1) == {
        "path": "/v1/trucks/1"
    }


def test_somebody_elses_change_is_a_refusal() -> None:
    asker, _ = asking(iter([412]))
    with pytest.raises(OpsError, match="answered 412"):
        asker.put("fleet", "/v1/trucks/1/documents/a", {}, of="/v1/trucks/1", seen=1)


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PATIENCE", 0)
    asker, _ = asking(iter([503]))
    with pytest.raises(OpsError, match="answered 503"):
        asker.get("shipper", "/v1/booking")
    asker, _ = asking(iter([httpx.ConnectError("gone")]))
    with pytest.raises(httpx.ConnectError):
        asker.get("shipper", "/v1/booking")
