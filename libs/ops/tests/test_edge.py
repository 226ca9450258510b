"""The platform's edge: what it lets through, and the copy of the keys."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.testing.issuer import Issuer
from mesh.edge import edge_config
from mesh.envoy import validate_config
from ops import edge, keys_copy
from ops.services import AUTH, BOOKING, Layout, port_names

from .scripts import folder_in
from .support import answering


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout over ports that nobody uses."""
    names = ["postgres", edge.NAME, *port_names()]
    return Layout.of(folder_in(tmp_path), {name: 20_000 + n for n, name in enumerate(names)})


def open_paths(layout: Layout) -> set[str]:
    routes = edge.describe(layout).routes
    return {str(route.path or route.prefix) for route in routes if not route.needs_token}


def test_envoy_takes_the_configuration(layout: Layout) -> None:
    described = edge.describe(layout, by_mesh=False)
    keys_copy.take_last(layout, described.tokens)
    validate_config(edge_config(described))


def test_nothing_but_logins_keys_and_documents_is_open(layout: Layout) -> None:
    documents = {f"/docs/{name}.json" for name in ("auth", "booking", "config")}
    assert open_paths(layout) == set(edge.OPEN_AUTH_PATHS) | documents


def test_bookings_of_one_client_are_limited(layout: Layout) -> None:
    limited = [route for route in edge.describe(layout).routes if route.client_limit]
    assert [(route.path, route.methods) for route in limited] == [("/v1/booking", ("POST",))]
    assert limited[0].client_limit == edge.BOOKINGS_OF_A_CLIENT


def test_what_booking_serves_goes_to_booking(layout: Layout) -> None:
    routes = edge.describe(layout).routes
    prefixes = {route.prefix for route in routes if route.upstream == BOOKING.name} - {None}
    assert prefixes == {
        "/v1/booking",
        "/v1/quotes",
        "/v1/pricing",
        "/v1/trucks",
        "/v1/drivers",
        "/v1/trips",
        "/v1/board",
    }


def test_a_deep_folder_does_without_the_admin_socket(tmp_path: Path) -> None:
    folder = folder_in(tmp_path / ("deep" * 30))
    names = ["postgres", edge.NAME, *port_names()]
    deep = Layout.of(folder, {name: 20_000 + n for n, name in enumerate(names)})
    assert edge.describe(deep).admin is None


def answer_with(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + content


async def test_keys_are_copied_and_outlive_their_issuer(layout: Layout) -> None:
    checks = edge.describe(layout).tokens
    assert checks.file is not None
    published = json.dumps(Issuer("live").jwks).encode()
    async with answering(answer_with(published)) as port:
        alive = replace(layout, ports={**layout.ports, AUTH.api: port})
        assert await keys_copy.refresh(alive, checks)
    assert "live" in checks.file.read_text()
    assert not await keys_copy.refresh(alive, checks)
    checks.file.unlink()
    keys_copy.take_last(layout, checks)
    assert "live" in checks.file.read_text()


@pytest.mark.parametrize("content", [b"", b"{", b'{"keys": []}', b'{"keys": [{"kty": "oct"}]}'])
async def test_keys_of_no_use_do_not_replace_good_ones(layout: Layout, content: bytes) -> None:
    checks = edge.describe(layout).tokens
    assert checks.file is not None
    layout.folder.keys_file.write_text(json.dumps(Issuer("good").jwks))
    keys_copy.take_last(layout, checks)
    async with answering(answer_with(content)) as port:
        asked = replace(layout, ports={**layout.ports, AUTH.api: port})
        assert not await keys_copy.refresh(asked, checks)
    assert "good" in checks.file.read_text()


def test_a_damaged_copy_is_no_copy(layout: Layout) -> None:
    checks = edge.describe(layout).tokens
    layout.folder.keys_file.write_text("{")
    keys_copy.take_last(layout, checks)
    assert checks.file is not None
    assert "local_jwks" not in checks.file.read_text()
