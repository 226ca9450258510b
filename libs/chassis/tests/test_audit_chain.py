import hashlib
import struct
from datetime import UTC, datetime

from chassis.audit_chain import GENESIS, START, Link, microseconds, next_link, row_digest

SEALED_US = 1_795_490_400_123_456


def test_the_beginning_is_fixed() -> None:
    assert Link(0, GENESIS) == START
    assert GENESIS.hex() == hashlib.sha256(b"in.ubertruck.audit-chain.v1").hexdigest()


def test_a_row_is_digested_as_canonical_json() -> None:
    expected = hashlib.sha256('{"actor":"\\"é\\"","n":"1.10"}'.encode()).digest()
    assert row_digest({"n": "1.10", "actor": '"é"'}) == expected


def test_a_link_covers_everything_in_a_seal() -> None:
    digest = row_digest({"id": "1"})
    expected = hashlib.sha256(GENESIS + struct.pack(">qq", 1, SEALED_US) + digest).digest()
    link = next_link(START, row_digest=digest, sealed_us=SEALED_US)
    assert link == Link(1, expected)
    others = [
        next_link(link, row_digest=digest, sealed_us=SEALED_US),
        next_link(START, row_digest=digest, sealed_us=SEALED_US + 1),
        next_link(START, row_digest=row_digest({}), sealed_us=SEALED_US),
    ]
    assert len({link.digest, *(other.digest for other in others)}) == 4


def test_times_are_exact_to_the_microsecond() -> None:
    assert microseconds(datetime(2026, 11, 24, 3, 20, 0, 123456, tzinfo=UTC)) == SEALED_US
    assert microseconds(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -1_000_000
