import pytest
from starlette.requests import Request

from chassis.source import client_address


def a_request(*forwarded: str, peer: str | None = "10.0.0.1") -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    client = None if peer is None else (peer, 1234)
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("forwarded", "trusted", "expected"),
    [
        (["203.0.113.9"], 1, "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9"], 1, "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9, 10.0.0.2"], 2, "203.0.113.9"),
        (["2001:db8::1"], 1, "2001:db8::1"),
        (["::ffff:203.0.113.9"], 1, "203.0.113.9"),
        (["203.0.113.9"], 0, "10.0.0.1"),
        (["203.0.113.9"], 2, "10.0.0.1"),
        (["rubbish"], 1, "10.0.0.1"),
        ([], 1, "10.0.0.1"),
    ],
)
def test_client_address(forwarded: list[str], trusted: int, expected: str) -> None:
    found = client_address(a_request(*forwarded), trusted_proxies=trusted)
    assert str(found) == expected


@pytest.mark.parametrize("peer", [None, "/run/ubertruck.sock"])
def test_without_any_address(peer: str | None) -> None:
    assert client_address(a_request(peer=peer), trusted_proxies=1) is None


def test_zone_is_left_out() -> None:
    found = client_address(a_request(peer="fe80::1%eth0"), trusted_proxies=0)
    assert str(found) == "fe80::1"
