"""Web pages: which may call, and the documents that the gateway serves itself."""

import re
from collections.abc import Generator

import pytest

from mesh.description import Cors, Document, Route
from mesh.docs import Api, docs_documents

from .gateway import Gateway, describe, running
from .keys import SigningKey, key_set
from .problem import assert_problem
from .stub import Stub, answer

ORIGIN = "https://app.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "if-match"}


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, service: Stub, issuer: Stub, key: SigningKey
) -> Generator[Gateway]:
    edge = describe(
        tmp_path_factory.mktemp("site"),
        service,
        issuer,
        cors=Cors(origins=(ORIGIN,)),
        routes=(
            Route(
                upstream="service",
                path="/openapi/a.json",
                rewrite="/openapi.json",
                needs_token=False,
            ),
            Route(upstream="service", prefix="/v1"),
        ),
        documents=(
            *docs_documents([Api(name="A & B", openapi="/openapi/a.json")], title="<Title>"),
            Document(path="/robots.txt", content_type="text/plain", text="Disallow: /"),
        ),
    )
    with running(edge, jwks=key_set(key)) as started:
        yield started


def test_a_preflight_is_answered_without_a_token(site: Gateway, service: Stub) -> None:
    before = len(service.seen)
    answered = site.call("OPTIONS", "/v1/things", headers={"origin": ORIGIN, **PREFLIGHT})
    assert answered.status_code == 200
    assert answered.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in answered.headers["access-control-allow-methods"]
    assert "if-match" in answered.headers["access-control-allow-headers"]
    assert answered.headers["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in answered.headers
    assert len(service.seen) == before


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.evil.example", "null"]
)
def test_other_origins_are_told_nothing(
    origin: str, site: Gateway, key: SigningKey, service: Stub
) -> None:
    before = len(service.seen)
    preflight = site.call("OPTIONS", "/v1/things", headers={"origin": origin, **PREFLIGHT})
    assert "access-control-allow-origin" not in preflight.headers
    assert len(service.seen) == before
    answered = site.call("GET", "/v1/things", token=key.token(), headers={"origin": origin})
    assert "access-control-allow-origin" not in answered.headers


def test_a_page_of_ours_may_read_answers_and_refusals(site: Gateway, key: SigningKey) -> None:
    for token in (key.token(), None):
        answered = site.call("GET", "/v1/things", token=token, headers={"origin": ORIGIN})
        assert answered.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answered.headers["access-control-expose-headers"]


def test_without_origins_a_preflight_is_a_request_like_any(gateway: Gateway) -> None:
    answered = gateway.call("OPTIONS", "/v1/things", headers={"origin": ORIGIN, **PREFLIGHT})
    assert_problem(answered, 401, "unauthorized")


def test_the_page_of_apis_loads_only_from_here(site: Gateway, service: Stub) -> None:
    service.answers["/openapi.json"] = lambda handler: answer(handler, 200, b'{"openapi": "3"}')
    page = site.call("GET", "/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "A &amp; B" in page.text
    assert "<h1>&lt;Title&gt;</h1>" in page.text
    loaded = re.findall(r'(?:src|href|data-openapi)="(/[^"]*)"', page.text)
    assert len(loaded) == 6
    assert "http" not in page.text
    for path in loaded:
        asset = site.call("GET", path)
        assert asset.status_code == 200, path
        assert asset.content
        assert asset.headers["x-content-type-options"] == "nosniff"


def test_documents_answer_get_and_head_only(site: Gateway) -> None:
    assert site.call("GET", "/robots.txt").text == "Disallow: /"
    head = site.call("HEAD", "/robots.txt")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == "text/plain"
    assert_problem(site.call("POST", "/robots.txt"), 404, "not-found")
