"""A description that makes no sense is refused before Envoy hears of it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mesh.description import Admin, Cors, Document, Edge, Listen, RateLimit, Route, TokenChecks

from .gateway import describe
from .stub import Stub

LIMIT = RateLimit(per_second=1, burst=1)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "either a path or a prefix"),
        ({"path": "/a", "prefix": "/a"}, "either a path or a prefix"),
        ({"path": "a"}, "pattern"),
        ({"path": "/a b"}, "pattern"),
        ({"path": "/a?b"}, "pattern"),
        ({"prefix": "/a/"}, "doesn't end in a slash"),
        ({"prefix": "/a", "rewrite": "/b"}, "exact path"),
        ({"path": "/a", "methods": ("BREW",)}, "methods"),
        ({"path": "/a", "timeout": 0}, "timeout"),
        ({"path": "/a", "needs_token": False, "client_limit": LIMIT}, "needs a token"),
        ({"path": "/a", "cluster": "b"}, "Extra inputs"),
    ],
)
def test_routes_that_make_no_sense(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Route(upstream="service", **values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "either a socket or a port"),
        ({"socket": "/a", "listen": {"host": "127.0.0.1", "port": 1}}, "either a socket or a port"),
        ({"listen": {"host": "0.0.0.0", "port": 1}}, "only listen on loopback"),  # noqa: S104 - refused
        ({"listen": {"host": "localhost", "port": 1}}, "only listen on loopback"),
        ({"socket": "/" + "a" * 107}, "longer than 107 bytes"),
    ],
)
def test_the_admin_interface_stays_on_this_machine(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Admin(**values)


def test_the_admin_interface_may_be_a_loopback_port() -> None:
    assert Admin(listen=Listen(host="::1", port=0)).listen


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/", "https://*.a.b"])
def test_origins_are_exact(origin: str) -> None:
    with pytest.raises(ValidationError):
        Cors(origins=(origin,))


@pytest.mark.parametrize("values", [{}, {"text": "a", "file": "/a"}])
def test_a_document_has_one_source(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either from a file or from a text"):
        Document(path="/a", content_type="text/plain", **values)


def test_header_values_cannot_start_another_header() -> None:
    with pytest.raises(ValidationError):
        Document(path="/a", content_type="text/plain\r\nset-cookie: a=b", text="a")


def test_the_clock_may_be_off_by_half_a_minute_at_most() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 30"):
        TokenChecks(issuer="i", audience="a", upstream="u", jwks_path="/k", clock_skew=31)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"routes": (Route(upstream="nobody", prefix="/"),)}, "No upstream is called 'nobody'"),
        (
            {"documents": (Document(path="/a", content_type="text/plain", text="a"),) * 2},
            "'/a' is described twice",
        ),
        ({"retries": 3}, "Extra inputs"),
    ],
)
def test_the_parts_hang_together(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=reason):
        describe(tmp_path, Stub.closed(), Stub.closed(), **changes)


def test_upstreams_have_different_names(tmp_path: Path) -> None:
    edge = describe(tmp_path, Stub.closed(), Stub.closed())
    with pytest.raises(ValidationError, match="described twice"):
        Edge.model_validate(edge.model_dump() | {"upstreams": edge.upstreams * 2})


def test_a_description_does_not_change(tmp_path: Path) -> None:
    edge = describe(tmp_path, Stub.closed(), Stub.closed())
    with pytest.raises(ValidationError, match="frozen"):
        edge.health_path = "/"  # pyright: ignore[reportAttributeAccessIssue] - that it can't is the test
