"""Whole requests as bytes, tokens and bodies in turn, each booking with a key of its own."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from bench.bodies import bodies
from bench.errors import WrongAnswer
from bench.tokens import Token

_HOST = "Host: bench.ubertruck.in\r\n"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A booking that was acknowledged, and at what price."""

    booking_id: UUID
    paise: int


def _fresh_prefix() -> str:
    return f"bench-{secrets.token_hex(6)}-"


@dataclass(frozen=True, kw_only=True)
class BookingRequests:
    """`POST /v1/booking`, request by request.

    Request `number` consists of a head, its `Idempotency-Key` and a tail, so that who sends many
    has only those three to join. Two sets have different keys.
    """

    tokens: Sequence[Token]
    bodies: Sequence[bytes] = field(default_factory=bodies)
    key_prefix: str = field(default_factory=_fresh_prefix)
    heads: Sequence[bytes] = field(init=False)
    tails: Sequence[bytes] = field(init=False)
    _documents: Sequence[Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", [_booking_head(token.text) for token in self.tokens])
        object.__setattr__(self, "tails", [_booking_tail(body) for body in self.bodies])
        object.__setattr__(self, "_documents", [orjson.loads(body) for body in self.bodies])

    def key(self, number: int) -> str:
        """The `Idempotency-Key` of request `number`."""
        return f"{self.key_prefix}{number}"

    def render(self, number: int) -> bytes:
        """Request `number`."""
        head = self.heads[number % len(self.heads)]
        return head + self.key(number).encode() + self.tails[number % len(self.tails)]

    def read(self, number: int, body: bytes) -> Answered:
        """The booking in the answer to request `number`; WrongAnswer if it is another's."""
        try:
            document: Mapping[str, Any] = orjson.loads(body)
            wanted = self._documents[number % len(self._documents)]
            tenant = str(self.tokens[number % len(self.tokens)].shipper.tenant_id)
            if any(document[name] != wanted[name] for name in wanted):
                raise WrongAnswer("The booking moves something else.")
            if document["tenant_id"] != tenant:
                raise WrongAnswer("The booking is another tenant's.")
            return Answered(
                booking_id=UUID(document["booking_id"]), paise=int(document["price"]["amount"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswer("There is no booking in the answer.") from error


def get(path: str, token: Token) -> bytes:
    """`GET path` as this token's holder."""
    return (
        f"GET {path} HTTP/1.1\r\n{_HOST}Accept: application/json\r\n"
        f"Authorization: Bearer {token.text}\r\n\r\n"
    ).encode()


def post(path: str, token: Token, body: bytes | None = None) -> bytes:
    """`POST path` as this token's holder, with JSON or without a body."""
    kind = b"" if body is None else b"Content-Type: application/json\r\n"
    content = body or b""
    head = (
        f"POST {path} HTTP/1.1\r\n{_HOST}Accept: application/json\r\n"
        f"Authorization: Bearer {token.text}\r\n"
    )
    return head.encode() + kind + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)


def _booking_head(token: str) -> bytes:
    return (
        f"POST /v1/booking HTTP/1.1\r\n{_HOST}Accept: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nIdempotency-Key: "
    ).encode()


def _booking_tail(body: bytes) -> bytes:
    return b"\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
