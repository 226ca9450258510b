"""What a gateway needs among others of its kind, with a mesh behind it."""

from collections.abc import Generator

import httpx
import pytest

from mesh.description import Admin, Edge, Endpoint, Listen, RateLimit, Upstream

from .gateway import Gateway, describe, eventually, running, upstream
from .stub import Stub

BURST = 40
AUTHORITY = "service.example.local"


def free_port() -> int:
    with Stub.closed() as gone:
        return gone.port


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Edge, Stub]]:
    """One of four gateways, whose service is known to a mesh by name."""
    with Stub() as service:
        service_upstream = upstream("service", service).model_copy(update={"authority": AUTHORITY})
        yield (
            describe(
                tmp_path_factory.mktemp("cluster"),
                service,
                service,
                upstreams=(service_upstream, upstream("issuer", service)),
                rate_limit=RateLimit(per_second=1, burst=BURST),
                replicas=tuple(Endpoint(host=f"127.0.0.{n}", port=1) for n in range(1, 5)),
                probes=Listen(host="127.0.0.1", port=free_port()),
            ),
            service,
        )


@pytest.fixture(scope="module")
def gateway(edge: tuple[Edge, Stub]) -> Generator[Gateway]:
    with running(edge[0]) as started:
        yield started


def probe(gateway: Gateway, path: str) -> httpx.Response:
    assert gateway.edge.probes is not None
    return httpx.get(f"http://127.0.0.1:{gateway.edge.probes.port}{path}")


def test_the_service_hears_its_own_name(gateway: Gateway, edge: tuple[Edge, Stub]) -> None:
    assert gateway.call("GET", "/open/x").status_code == 200
    assert edge[1].last.header("host") == [AUTHORITY]


def test_how_it_is_stands_on_another_port(gateway: Gateway) -> None:
    assert eventually(lambda: probe(gateway, "/readyz").status_code == 200)
    assert "envoy_" in probe(gateway, "/metrics").text
    for path in ("/", "/stats", "/config_dump", "/quitquitquit", "/metrics/../config_dump"):
        assert probe(gateway, path).status_code == 404


def test_the_limit_is_shared_by_all_of_them(gateway: Gateway) -> None:
    accepted = 0
    while gateway.call("GET", "/open/x").status_code == 200:
        accepted += 1
    # The share of one in four, with what earlier tests took and what a second gives back.
    assert BURST / 4 - 3 <= accepted <= BURST / 4 + 3


def test_probes_need_the_admin_interface() -> None:
    with pytest.raises(ValueError, match="Probes are answered by the admin interface"):
        Edge.model_validate(
            {
                "listen": Listen(host="127.0.0.1", port=0),
                "probes": Listen(host="127.0.0.1", port=0),
                "admin": Admin(listen=Listen(host="127.0.0.1", port=0)),
                "upstreams": (Upstream(name="a", endpoints=(Endpoint(host="a", port=1),)),),
                "routes": (),
                "tokens": {"issuer": "i", "audience": "a", "upstream": "a", "jwks_path": "/k"},
            }
        )
