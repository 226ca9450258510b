"""Asking a loopback port, whatever answers there."""

import pytest

from ops import http_probe
from ops.http_probe import answers_ok, fetch

from .support import answering


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length:2\r\n\r\nhi and more", b"hi"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", None),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nno", None),
        (b"HTTP/1.1 2000\r\n\r\n", None),
        (b"\xff\xfe\r\n", None),
        (b"", None),
    ],
)
async def test_only_a_200_counts(answer: bytes, body: bytes | None) -> None:
    async with answering(answer) as port:
        assert await fetch(port, "/readyz") == body
        assert await answers_ok(port, "/readyz")() == (body is not None)


async def test_silence_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_probe, "TIMEOUT", 0.05)
    async with answering(None) as port:
        assert await fetch(port, "/") is None


async def test_nobody_there_is_no() -> None:
    async with answering(b"") as port:
        pass
    assert await fetch(port, "/") is None
