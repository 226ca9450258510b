"""What the audit's seals are made of. Pure, short, and to be recomputable by anybody in years.

The normal form of a row is a JSON object: each column that isn't null, by its name, with the text
that Postgres 12 or newer gives for `to_jsonb(column)::text` while `TimeZone` is UTC and
`bytea_output` is hex. Texts instead of numbers keep every digit, whatever a parser would make of
them; leaving nulls out lets a later schema add a nullable column without touching old digests.

    row_digest   = SHA-256( RFC 8785 form of that object )
    chain_digest = SHA-256( previous chain_digest | seq | sealed_at | row_digest )

`seq` counts from 1 without a gap; it and `sealed_at`, in microseconds since 1970, stand as signed
64-bit big-endian integers. The chain digest before the first is `GENESIS`.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis.canonical import canonical_json

GENESIS = hashlib.sha256(b"in.ubertruck.audit-chain.v1").digest()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain has got to: the last sequence number and its digest (32 bytes)."""

    seq: int
    digest: bytes


START = Link(0, GENESIS)


def row_digest(normal_form: Mapping[str, str]) -> bytes:
    """The digest of one audit row in its normal form."""
    return hashlib.sha256(canonical_json(dict(normal_form))).digest()


def next_link(previous: Link, *, row_digest: bytes, sealed_us: int) -> Link:
    """The link that seals a row after `previous`; `sealed_us` is in microseconds since 1970."""
    seq = previous.seq + 1
    position = struct.pack(">qq", seq, sealed_us)
    return Link(seq, hashlib.sha256(previous.digest + position + row_digest).digest())


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
