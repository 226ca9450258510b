"""A gateway that takes the mesh's routes over: the same requests go the same ways."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mesh.appmesh.routers import HttpMatch
from mesh.dataplane import egress
from mesh.dataplane.narrowing import narrowed
from mesh.dataplane.plane import write_plane
from mesh.dataplane.splits import outgoing
from mesh.description import Edge, Endpoint, RateLimit, Route, Upstream
from mesh.edge import OwnEgress, write_edge_routes

from .fleet import Fleet, status
from .gateway import Gateway, describe, eventually, running
from .keys import SigningKey, key_set
from .planes import RunningPlane
from .rendered import CALLER
from .stub import Stub

POST = [{"name": ":method", "string_match": {"exact": "POST"}}]


def at(**path: Any) -> Route:
    return Route(upstream="a", **path)


def match(text: str) -> HttpMatch:
    return HttpMatch.model_validate_json(text)


@pytest.mark.parametrize(
    ("route", "text", "means"),
    [
        (at(prefix="/v1"), '{"prefix": "/"}', {}),
        (at(prefix="/v1"), '{"prefix": "/v1"}', {}),
        (at(prefix="/v1"), '{"prefix": "/v2"}', None),
        (at(prefix="/v1"), '{"prefix": "/", "method": "POST"}', {"headers": POST}),
        (
            at(prefix="/v1"),
            '{"prefix": "/v1/live/"}',
            {"headers": [{"name": ":path", "string_match": {"prefix": "/v1/live/"}}]},
        ),
        (
            at(prefix="/v1"),
            '{"path": {"exact": "/v1/a"}}',
            {
                "headers": [
                    {
                        "name": ":path",
                        "string_match": {"safe_regex": {"regex": r"(?:/v1/a)(?:\?.*)?"}},
                    }
                ]
            },
        ),
        (at(path="/v1/a"), '{"path": {"exact": "/v1/a"}}', {}),
        (at(path="/v1/a"), '{"path": {"exact": "/v1/b"}}', None),
        (at(path="/v1/a"), '{"path": {"regex": "/v[0-9]/."}}', {}),
        (at(path="/v1/a"), '{"path": {"regex": "/v1"}}', None),
        (at(path="/v1/a"), '{"prefix": "/v1/", "method": "POST"}', {"headers": POST}),
        (at(path="/docs/a", rewrite="/openapi"), '{"prefix": "/openapi"}', {}),
        (at(path="/docs/a", rewrite="/openapi"), '{"prefix": "/docs"}', None),
    ],
)
def test_a_mesh_route_takes_its_part_of_a_gateway_route(
    route: Route, text: str, means: dict[str, Any] | None
) -> None:
    assert narrowed(route, match(text)) == means


def described(folder: Path, shared: RunningPlane, service: Stub, issuer: Stub) -> Edge:
    """A gateway that is the caller `edge` itself."""
    hop = shared.plane.egress[CALLER]
    return describe(
        folder,
        service,
        issuer,
        upstreams=(
            Upstream(
                name="quick",
                endpoints=(Endpoint(host=hop.host, port=hop.port),),
                authority="quick-service.ubertruck.local:8080",
            ),
            *describe(folder, service, issuer).upstreams,
        ),
        routes=(
            Route(upstream="quick", prefix="/open", needs_token=False),
            Route(
                upstream="quick",
                path="/limited",
                methods=("POST",),
                client_limit=RateLimit(per_second=1, burst=1),
            ),
            Route(upstream="quick", prefix="/v1"),
        ),
    )


def own_egress(shared: RunningPlane) -> OwnEgress:
    manifests = shared.plane.manifests
    edge = manifests.node(CALLER).key
    (quick,) = (one for one in outgoing(manifests, edge) if one.service == "quick-service")
    return OwnEgress(
        services={"quick": quick},
        clusters=tuple(egress.clusters(manifests, edge, shared.plane.folder / "endpoints")),
        routes=shared.plane.routes_file("gateway"),
    )


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    shared: RunningPlane,
    service: Stub,
    issuer: Stub,
    key: SigningKey,
) -> Generator[Gateway]:
    edge = described(tmp_path_factory.mktemp("edge"), shared, service, issuer)
    own = own_egress(shared)
    write_edge_routes(edge, own)
    with running(edge, jwks=key_set(key), egress=own) as started:
        yield started


def test_the_gateway_passes_two_hops_instead_of_three(
    gateway: Gateway, shared: RunningPlane, key: SigningKey
) -> None:
    passed = shared.stat("http.egress_edge.downstream_rq_total")
    answers = [gateway.call("GET", "/open/a") for _ in range(20)]
    assert {answered.status_code for answered in answers} == {200}
    assert gateway.call("GET", "/v1/a").status_code == 401
    assert gateway.call("GET", "/v1/a", token=key.token()).status_code == 200
    assert shared.stat("http.egress_edge.downstream_rq_total") == passed
    assert shared.stat("http.ingress_quick-blue-1.downstream_rq_total") > 0


def test_limits_and_colours_hold_as_before(gateway: Gateway, key: SigningKey) -> None:
    headers = {"x-ubertruck-colour": "green"}
    token = key.token()
    eventually(lambda: gateway.call("POST", "/limited", token=token).status_code == 429)
    by = {gateway.call("POST", "/open", headers=headers).headers["x-served-by"] for _ in range(9)}
    assert by == {"quick-green-1"}


def test_reads_are_repeated_and_posts_without_a_key_are_not(
    gateway: Gateway, processes: Fleet
) -> None:
    processes.forget()
    for process in processes.processes.values():
        process.behaviour = status(503)
    for method in ("GET", "POST"):
        answered = gateway.call(method, "/open/ill")
        assert answered.status_code == 503
    assert processes.total("GET", "/open/ill") == 4
    assert processes.total("POST", "/open/ill") == 1
    processes.forget()


def test_other_weights_reach_the_gateway_too(
    gateway: Gateway, shared: RunningPlane, processes: Fleet
) -> None:
    shared.set_weights("quick-service", blue=0, green=100)
    assert write_edge_routes(gateway.edge, own_egress(shared))
    eventually(
        lambda: (
            {gateway.call("GET", "/open").headers.get("x-served-by") for _ in range(20)}
            == {"quick-green-1"}
        )
    )


def test_the_files_of_a_plane_are_written_when_they_change(shared: RunningPlane) -> None:
    listeners = shared.plane.folder / "listeners" / "all.json"
    before = listeners.stat().st_mtime_ns
    write_plane(shared.plane)
    assert listeners.stat().st_mtime_ns == before
    assert json.loads(listeners.read_text())["resources"]
