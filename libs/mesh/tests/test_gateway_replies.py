"""Every answer that Envoy makes itself is a problem document."""

from collections.abc import Generator
from pathlib import Path
from threading import Event

import pytest

from mesh.description import Endpoint, Route, Upstream

from .gateway import Gateway, describe, eventually, read_answer, running, upstream
from .keys import SigningKey, key_set
from .problem import assert_problem
from .stub import Stub, answer

# What can't be read as a request, on connections of its own.
UNREADABLE = {
    "no HTTP": (b"hello\r\n\r\n", 400, "bad-request"),
    "unknown method": (b"FROB /open HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad-request"),
    "no host": (b"GET /open HTTP/1.1\r\n\r\n", 400, "bad-request"),
    "fragment": (b"GET /open#a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad-request"),
    "NUL in a header": (b"GET /open HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400, "bad-request"),
    "negative length": (
        b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        400,
        "bad-request",
    ),
    "two framings": (
        b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "bad-request",
    ),
    "bad chunk": (
        b"POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
        "bad-request",
    ),
    "unknown encoding": (
        b"POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n",
        501,
        "not-implemented",
    ),
    "HTTP/1.0": (b"GET /open HTTP/1.0\r\nHost: a\r\n\r\n", 426, "upgrade-required"),
    "large header": (
        b"GET /open HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        431,
        "headers-too-large",
    ),
    "many headers": (
        b"GET /open HTTP/1.1\r\nHost: a\r\n"
        + b"".join(b"X-%d: a\r\n" % n for n in range(150))
        + b"\r\n",
        431,
        "headers-too-large",
    ),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 403, "forbidden"),
    "upgrade": (
        b"GET /open HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        403,
        "forbidden",
    ),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not-found"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_requests_get_a_problem(name: str, gateway: Gateway) -> None:
    data, status, slug = UNREADABLE[name]
    problem = assert_problem(gateway.raw(data), status, slug)
    assert "urn:uuid:-" not in problem.values()


@pytest.fixture(scope="module")
def narrow(
    tmp_path_factory: pytest.TempPathFactory, service: Stub, issuer: Stub, key: SigningKey
) -> Generator[Gateway]:
    """Upstreams that are slow, away, or able to take one request only."""
    gone = Stub.closed()
    one_at_a_time = upstream("narrow", service).model_copy(
        update={"max_connections": 1, "max_pending": 1}
    )
    edge = describe(
        tmp_path_factory.mktemp("narrow"),
        service,
        issuer,
        upstreams=(
            upstream("service", service),
            upstream("issuer", issuer),
            upstream("gone", gone),
            one_at_a_time,
            Upstream(name="unnamed", endpoints=(Endpoint(host="nothing.invalid", port=gone.port),)),
        ),
        routes=(
            Route(upstream="gone", prefix="/gone", needs_token=False),
            Route(upstream="unnamed", prefix="/unnamed", needs_token=False),
            Route(upstream="narrow", prefix="/narrow", needs_token=False),
            Route(upstream="service", prefix="/slow", needs_token=False, timeout=0.2),
            Route(upstream="service", prefix="/", needs_token=False),
        ),
    )
    with running(edge, jwks=key_set(key)) as started:
        yield started


@pytest.mark.parametrize("path", ["/gone", "/unnamed"])
def test_a_service_that_is_away_is_503(path: str, narrow: Gateway) -> None:
    answered = narrow.call("GET", path)
    assert_problem(answered, 503, "unavailable")
    assert answered.headers["retry-after"] == "1"
    assert "connect" not in answered.text


def test_a_service_that_hangs_up_is_503(narrow: Gateway, service: Stub) -> None:
    service.answers["/hangs-up"] = lambda handler: handler.connection.shutdown(2)
    assert_problem(narrow.call("GET", "/hangs-up"), 503, "unavailable")


def test_a_service_that_talks_nonsense_is_502(narrow: Gateway, service: Stub) -> None:
    service.answers["/nonsense"] = lambda handler: (
        handler.wfile.write(b"nonsense\r\n\r\n"),
        handler.wfile.flush(),
        handler.connection.shutdown(2),
    )
    assert_problem(narrow.call("GET", "/nonsense"), 502, "bad-gateway")


def test_a_service_that_takes_too_long_is_504(narrow: Gateway, service: Stub) -> None:
    done = Event()
    service.answers["/slow"] = lambda handler: (done.wait(10), answer(handler, 200, b"{}"))
    try:
        assert_problem(narrow.call("GET", "/slow"), 504, "timeout")
    finally:
        done.set()


def test_more_than_a_service_can_take_is_503(narrow: Gateway, service: Stub) -> None:
    done = Event()
    service.answers["/narrow"] = lambda handler: (done.wait(10), answer(handler, 200, b"{}"))
    request = b"GET /narrow HTTP/1.1\r\nHost: a\r\n\r\n"
    with narrow.connection() as first, narrow.connection() as second:
        first.sendall(request)
        eventually(lambda: [seen for seen in service.seen if seen.path == "/narrow"])
        second.sendall(request)
        eventually(lambda: narrow.stat("cluster.narrow.upstream_rq_pending_active") == 1)
        assert_problem(narrow.call("GET", "/narrow"), 503, "unavailable")
        done.set()
        assert read_answer(first).status_code == 200
        assert read_answer(second).status_code == 200


def test_a_problem_of_a_service_passes_untouched(narrow: Gateway, service: Stub) -> None:
    service.answers["/own"] = lambda handler: answer(handler, 404, b'{"own": true}')
    assert narrow.call("GET", "/own").json() == {"own": True}


def test_a_second_gateway_cannot_share_the_port(gateway: Gateway, tmp_path: Path) -> None:
    listen = gateway.edge.listen.model_copy(update={"port": gateway.port})
    other = describe(tmp_path, Stub.closed(), Stub.closed(), listen=listen)
    with pytest.raises(AssertionError, match="Address already in use"), running(other):
        pass
