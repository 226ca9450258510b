from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from auth_service.client import Client
from auth_service.delay import DelayRule

RULE = DelayRule(free=5, ceiling=timedelta(minutes=15), memory=timedelta(hours=1))
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_free_then_doubling_then_the_ceiling() -> None:
    delays = [RULE.delay(failures).total_seconds() for failures in (0, 5, 6, 7, 8, 15, 16, 99)]
    assert delays == [0, 0, 1, 2, 4, 512, 900, 900]


@given(st.integers(min_value=0, max_value=10**9))
def test_more_failures_never_wait_less(failures: int) -> None:
    assert timedelta(0) <= RULE.delay(failures) <= RULE.delay(failures + 1) <= RULE.ceiling


def test_failures_are_forgotten() -> None:
    assert RULE.failures_after(7, last=NOW, now=NOW + timedelta(hours=1)) == 8
    assert RULE.failures_after(7, last=NOW, now=NOW + timedelta(hours=1, seconds=1)) == 1


def test_a_client_is_its_device_or_else_its_source() -> None:
    here, there = ip_address("203.0.113.7"), ip_address("198.51.100.9")
    phone = Client(address=here, device_id="phone-123")
    assert phone.identity == Client(address=there, device_id="phone-123").identity
    assert phone.identity != Client(address=here).identity
    assert Client(address=here).identity != Client(address=there).identity
    assert Client(address=None).identity != Client(address=None, device_id="here").identity


def test_sources() -> None:
    assert Client(address=ip_address("203.0.113.7")).source == "203.0.113.7"
    assert Client(address=ip_address("2001:db8:1:2:3::4")).source == "2001:db8:1:2::/64"
    assert Client(address=None).source == "here"
