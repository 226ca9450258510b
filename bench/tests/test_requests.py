import json
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import httptools
import pytest

from bench.bodies import BODIES, bodies
from bench.errors import WrongAnswer
from bench.requests import BookingRequests, get
from bench.tokens import Token, shipper
from booking.schemas import TransportRequest

TOKENS = [Token(shipper=shipper(number), text=f"token-{number}") for number in range(7)]


class Seen:
    """What a server sees of a request."""

    def __init__(self, request: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.path = ""
        self.whole = False
        httptools.HttpRequestParser(self).feed_data(request)

    def on_url(self, url: bytes) -> None:
        self.path = url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True


def answer(requests: BookingRequests, number: int, **changes: Any) -> bytes:
    body = json.loads(requests.bodies[number % len(requests.bodies)])
    tenant = requests.tokens[number % len(requests.tokens)].shipper.tenant_id
    fresh = {"booking_id": str(uuid4()), "price": {"amount": 4200}, "tenant_id": str(tenant)}
    return json.dumps({**body, **fresh, **changes}).encode()


def test_bodies_are_bookings_and_no_two_alike() -> None:
    found = bodies()
    assert len(set(found)) == len(found) == BODIES
    assert found == bodies()
    for body in found:
        TransportRequest.model_validate_json(body)


def test_a_request_is_whole() -> None:
    requests = BookingRequests(tokens=TOKENS)
    seen = Seen(requests.render(9))
    assert seen.whole
    assert seen.path == "/v1/booking"
    assert seen.headers["authorization"] == "Bearer token-2"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["idempotency-key"] == requests.key(9)
    assert seen.body == bodies()[9]


def test_no_two_requests_have_one_key() -> None:
    sets = [BookingRequests(tokens=TOKENS) for _ in range(3)]
    keys = {requests.key(number) for requests in sets for number in range(100)}
    assert len(keys) == 300


def test_tokens_and_bodies_meet_in_every_combination() -> None:
    requests = BookingRequests(tokens=TOKENS, bodies=tuple(islice(bodies(), 5)))
    found = {
        (seen.headers["authorization"], seen.body)
        for seen in (Seen(requests.render(number)) for number in range(35))
    }
    assert len(found) == 35


def test_reads_what_was_booked() -> None:
    requests = BookingRequests(tokens=TOKENS)
    booking_id = uuid4()
    read = requests.read(5, answer(requests, 5, booking_id=str(booking_id)))
    assert (read.booking_id, read.paise) == (booking_id, 4200)


@pytest.mark.parametrize(
    "changes",
    [
        {"material_type": "gold"},
        {"quantity_mt": 7},
        {"tenant_id": str(UUID(int=0))},
        {"booking_id": "7"},
        {"price": None},
    ],
)
def test_refuses_another_booking(changes: dict[str, Any]) -> None:
    requests = BookingRequests(tokens=TOKENS)
    with pytest.raises(WrongAnswer):
        requests.read(5, answer(requests, 5, **changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"status": 200}', b"\xff"])
def test_refuses_what_is_no_booking(body: bytes) -> None:
    with pytest.raises(WrongAnswer, match="no booking"):
        BookingRequests(tokens=TOKENS).read(0, body)


def test_a_get_is_whole() -> None:
    seen = Seen(get("/v1/booking?limit=5", TOKENS[1]))
    assert seen.whole
    assert (seen.path, seen.headers["authorization"]) == ("/v1/booking?limit=5", "Bearer token-1")
