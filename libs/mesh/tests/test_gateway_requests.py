"""What of a request reaches a service, and what doesn't."""

import json

import pytest

from .gateway import Gateway
from .keys import SigningKey
from .problem import assert_problem
from .stub import Stub, answer

BODY_LIMIT = 256 * 1024

STRIPPED = (
    "x-user-id",
    "x-user-role",
    "x-user-roles",
    "x-user",
    "x-tenant-id",
    "x-role",
    "x-roles",
    "x-permissions",
    "x-client-id",
    "x-subject",
    "x-auth-subject",
    "x-jwt-payload",
    "x-forwarded-client-cert",
    "x-forwarded-host",
    "x-real-ip",
    "forwarded",
    "x-ratelimit-limit",
    "x-edge-limit",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-envoy-external-address",
    "x-envoy-retry-on",
    "x-envoy-max-retries",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-decorator-operation",
    "x-envoy-something-new",
)


@pytest.mark.parametrize("name", STRIPPED)
def test_identity_headers_from_outside_are_gone(name: str, gateway: Gateway, service: Stub) -> None:
    assert gateway.call("GET", "/open/door", headers={name: "evil"}).status_code == 200
    assert service.last.header(name) == []


@pytest.mark.parametrize("name", ["X_User_Id", "x_tenant_id", "Content_Length"])
def test_underscores_in_header_names_are_refused(
    name: str, gateway: Gateway, service: Stub
) -> None:
    before = len(service.seen)
    answered = gateway.raw(f"GET /open HTTP/1.1\r\nHost: a\r\n{name}: evil\r\n\r\n".encode())
    assert_problem(answered, 400, "bad-request")
    assert len(service.seen) == before


def test_the_caller_cannot_say_where_it_is(gateway: Gateway, service: Stub) -> None:
    headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    answered = gateway.call("GET", "/open/door", headers=headers)
    (seen,) = service.last.header("x-forwarded-for")
    assert "203.0.113.9" not in seen
    assert service.last.header("x-forwarded-proto") == ["http"]
    assert gateway.log_of(answered.headers["x-request-id"])["client"] == "127.0.0.1"


def test_request_ids_are_ours_and_the_trace_is_the_callers(gateway: Gateway, service: Stub) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"x-request-id": "mine", "traceparent": trace, "tracestate": "a=b"}
    answered = gateway.call("GET", "/open/door", headers=headers)
    assert service.last.header("x-request-id") == [answered.headers["x-request-id"]] != ["mine"]
    assert service.last.header("traceparent") == [trace]
    assert service.last.header("tracestate") == ["a=b"]


def test_answers_tell_nothing_of_the_inside(gateway: Gateway) -> None:
    answered = gateway.call("GET", "/open/door")
    assert answered.headers["server"] == "ubertruck"
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answered.headers if name.startswith("x-envoy")]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/open/a//b", "/open/a/b"),
        ("/open/a/./b", "/open/a/b"),
        ("/open/a/../b", "/open/b"),
        ("/open//..//v1/things", "/open/v1/things"),
        ("/open/%61", "/open/a"),
        ("/open\\a", "/open/a"),
        ("/open/a/b/c?q=%2F&r=..", "/open/a/b/c?q=%2F&r=.."),
    ],
)
def test_paths_are_brought_to_one_form(
    sent: str, seen: str, gateway: Gateway, service: Stub
) -> None:
    gateway.raw(f"GET {sent} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert service.last.path == seen


@pytest.mark.parametrize(
    "path", ["/open/../v1/things", "/open/%2e%2e/v1/things", "/v1//../v1/things", "//v1/things"]
)
def test_no_detour_leads_around_the_token(path: str, gateway: Gateway) -> None:
    answered = gateway.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert_problem(answered, 401, "unauthorized")


@pytest.mark.parametrize("path", ["/open/a%2fb", "/open/a%2Fb", "/open/a%5Cb", "/open/a%00"])
def test_escaped_slashes_and_nul_are_refused(path: str, gateway: Gateway) -> None:
    answered = gateway.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert_problem(answered, 400, "bad-request")


def test_a_body_up_to_the_limit_arrives(gateway: Gateway, service: Stub) -> None:
    body = b"x" * BODY_LIMIT
    assert gateway.call("POST", "/open/door", content=body).status_code == 200
    assert service.last.body == body


def test_a_body_over_the_limit_never_arrives(gateway: Gateway, service: Stub) -> None:
    before = len(service.seen)
    answered = gateway.call("POST", "/open/door", content=b"x" * (BODY_LIMIT + 1))
    assert_problem(answered, 413, "payload-too-large")
    assert len(service.seen) == before


def test_a_chunked_body_is_counted_too(gateway: Gateway, service: Stub) -> None:
    before = len(service.seen)
    pieces = (b"x" * 64 * 1024 for _ in range(5))
    assert_problem(gateway.call("POST", "/open/door", content=pieces), 413, "payload-too-large")
    assert len(service.seen) == before


def test_a_refused_token_costs_no_body(gateway: Gateway) -> None:
    head = b"POST /v1/things HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    assert_problem(gateway.raw(head), 401, "unauthorized")
    nowhere = b"POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    assert_problem(gateway.raw(nowhere), 404, "not-found")


def test_nothing_is_sent_twice(gateway: Gateway, key: SigningKey, service: Stub) -> None:
    service.answers["/v1/fails"] = lambda handler: answer(handler, 503, b"{}")
    service.answers["/v1/hangs-up"] = lambda handler: handler.connection.shutdown(2)
    for path in ("/v1/fails", "/v1/hangs-up"):
        headers = {"x-envoy-retry-on": "5xx,reset", "x-envoy-max-retries": "3"}
        assert gateway.call("POST", path, token=key.token(), headers=headers).status_code == 503
        assert [seen.path for seen in service.seen].count(path) == 1


def test_a_rewritten_path_is_logged_with_its_route(gateway: Gateway, service: Stub) -> None:
    answered = gateway.call("GET", "/specification.json?secret=1")
    assert service.last.path == "/openapi.json?secret=1"
    line = gateway.log_of(answered.headers["x-request-id"])
    assert line["route"] == "/specification.json"
    assert line["path"] == "/openapi.json"


def test_the_access_log_tells_who_and_what_but_no_secret(gateway: Gateway, key: SigningKey) -> None:
    token = key.token(sub="alice")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": trace, "user-agent": 'a"b', "cookie": "c=secret"}
    answered = gateway.call(
        "POST", "/v1/things?api_key=secret", token=token, headers=headers, content=b"12345"
    )
    line = gateway.log_of(answered.headers["x-request-id"])
    assert line["method"] == "POST"
    assert line["path"] == "/v1/things"
    assert line["status"] == 200
    assert line["subject"] == "alice"
    assert line["upstream"] == "service"
    assert line["bytes_in"] == 5
    assert line["traceparent"] == trace
    assert line["duration_ms"] >= 0
    assert line["flags"] == "-"
    assert line["time"].endswith("Z")
    text = json.dumps(line)
    assert "secret" not in text
    assert token.rpartition(".")[2] not in text
