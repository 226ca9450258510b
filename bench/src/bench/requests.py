"""Whole requests as bytes, tokens and bodies in turn, each booking with a key of its own."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.bodies import bodies
from bench.tokens import Token

_HOST = "Host: bench.ubertruck.in\r\n"


def _fresh_prefix() -> str:
    return f"bench-{secrets.token_hex(6)}-"


@dataclass(frozen=True, kw_only=True)
class BookingRequests:
    """`POST /v1/booking`, request by request.

    Request `number` consists of a head, its `Idempotency-Key` and a tail, so that who sends many
    has only those three to join. Two sets have different keys.
    """

    heads: Sequence[bytes]
    tails: Sequence[bytes]
    key_prefix: str = field(default_factory=_fresh_prefix)

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> "BookingRequests":
        """With these tokens, and the bodies of `bench.bodies`."""
        return cls(
            heads=[_booking_head(token.text) for token in tokens],
            tails=[_booking_tail(body) for body in bodies()],
        )

    def key(self, number: int) -> str:
        """The `Idempotency-Key` of request `number`."""
        return f"{self.key_prefix}{number}"

    def render(self, number: int) -> bytes:
        """Request `number`."""
        head = self.heads[number % len(self.heads)]
        return head + self.key(number).encode() + self.tails[number % len(self.tails)]


def get(path: str, token: Token) -> bytes:
    """`GET path` as this token's holder."""
    return (
        f"GET {path} HTTP/1.1\r\n{_HOST}Accept: application/json\r\n"
        f"Authorization: Bearer {token.text}\r\n\r\n"
    ).encode()


def _booking_head(token: str) -> bytes:
    return (
        f"POST /v1/booking HTTP/1.1\r\n{_HOST}Accept: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nIdempotency-Key: "
    ).encode()


def _booking_tail(body: bytes) -> bytes:
    return b"\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
