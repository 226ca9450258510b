"""Callers that are slow, or say nothing."""

import socket
from collections.abc import Generator

import pytest

from mesh.description import Limits, Timeouts

from .gateway import Gateway, describe, read_answer, running
from .keys import SigningKey, key_set
from .problem import assert_problem
from .stub import Stub


@pytest.fixture(scope="module")
def hasty(
    tmp_path_factory: pytest.TempPathFactory, service: Stub, issuer: Stub, key: SigningKey
) -> Generator[Gateway]:
    edge = describe(
        tmp_path_factory.mktemp("hasty"),
        service,
        issuer,
        timeouts=Timeouts(headers=0.2, request=0.5, connection_idle=0.2, drain=0.1),
        limits=Limits(connections=3),
    )
    with running(edge, jwks=key_set(key)) as started:
        yield started


def test_slow_headers_are_408(hasty: Gateway) -> None:
    assert_problem(hasty.raw(b"GET /open HTTP/1.1\r\nHost: a\r\nX-Slow: "), 408, "request-timeout")


def test_a_slow_body_is_408_and_no_service_hears_of_it(hasty: Gateway, service: Stub) -> None:
    before = len(service.seen)
    head = b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome"
    assert_problem(hasty.raw(head), 408, "request-timeout")
    assert len(service.seen) == before


def test_an_idle_connection_is_closed(hasty: Gateway) -> None:
    with hasty.connection() as connection:
        connection.sendall(b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(connection).status_code == 200
        assert connection.recv(1) == b""


def test_connections_over_the_limit_are_closed(hasty: Gateway) -> None:
    connections = [socket.create_connection(("127.0.0.1", hasty.port), 10) for _ in range(6)]
    try:
        assert connections[-1].recv(1) == b""
    finally:
        for connection in connections:
            connection.close()
