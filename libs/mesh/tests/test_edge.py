"""What the configuration says when the description says nothing: the safe thing."""

import json
from pathlib import Path
from typing import Any

import pytest

from mesh.description import Admin, Document, Edge, Endpoint, Listen, RateLimit, Route, Upstream
from mesh.edge import edge_config

from .gateway import describe, token_checks
from .stub import Stub


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return describe(tmp_path, Stub.closed(), Stub.closed(), access_log=None)


@pytest.fixture
def config(edge: Edge) -> dict[str, Any]:
    return as_read(edge)


def as_read(edge: Edge) -> dict[str, Any]:
    """The configuration as Envoy reads it."""
    return json.loads(json.dumps(edge_config(edge)))


def listener(config: dict[str, Any]) -> dict[str, Any]:
    (one,) = config["static_resources"]["listeners"]
    return one


def manager(config: dict[str, Any]) -> dict[str, Any]:
    ((only,),) = (chain["filters"] for chain in listener(config)["filter_chains"])
    return only["typed_config"]


def filters(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in manager(config)["http_filters"]}


def routes(config: dict[str, Any]) -> list[dict[str, Any]]:
    (host,) = manager(config)["route_config"]["virtual_hosts"]
    return host["routes"]


def clusters(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in config["static_resources"]["clusters"]}


def test_callers_are_outside(config: dict[str, Any]) -> None:
    http = manager(config)
    assert http["use_remote_address"] is True
    assert http["xff_num_trusted_hops"] == 0
    assert http["internal_address_config"]["cidr_ranges"]
    assert http["preserve_external_request_id"] is False
    assert http["forward_client_cert_details"] == "SANITIZE"


def test_paths_and_headers_are_read_strictly(config: dict[str, Any]) -> None:
    http = manager(config)
    assert http["normalize_path"] is True
    assert http["merge_slashes"] is True
    assert http["path_with_escaped_slashes_action"] == "REJECT_REQUEST"
    common = http["common_http_protocol_options"]
    assert common["headers_with_underscores_action"] == "REJECT_REQUEST"
    assert common["max_headers_count"] == 100


def test_time_and_space_are_bounded(config: dict[str, Any]) -> None:
    http = manager(config)
    assert http["request_headers_timeout"] == "10.000s"
    assert http["request_timeout"] == "15.000s"
    assert http["stream_idle_timeout"] == "60.000s"
    assert http["common_http_protocol_options"]["idle_timeout"] == "300.000s"
    assert http["max_request_headers_kb"] == 32
    assert listener(config)["per_connection_buffer_limit_bytes"] == 32 * 1024
    assert listener(config)["enable_reuse_port"] is False
    body = filters(config)["envoy.filters.http.buffer"]["typed_config"]
    assert body["max_request_bytes"] == 256 * 1024
    monitors = {one["name"] for one in config["overload_manager"]["resource_monitors"]}
    assert monitors == {
        "envoy.resource_monitors.fixed_heap",
        "envoy.resource_monitors.global_downstream_max_connections",
    }


def test_the_filters_stand_in_their_order(config: dict[str, Any]) -> None:
    assert list(filters(config)) == [
        "envoy.filters.http.health_check",
        "envoy.filters.http.cors",
        "envoy.filters.http.lua",
        "ubertruck.limit.all",
        "ubertruck.tokens",
        "ubertruck.limit.client",
        "envoy.filters.http.buffer",
        "envoy.filters.http.router",
    ]


def test_the_limit_over_all_is_that_of_the_specification(config: dict[str, Any]) -> None:
    bucket = filters(config)["ubertruck.limit.all"]["typed_config"]["token_bucket"]
    assert bucket == {"max_tokens": 5000, "tokens_per_fill": 2000, "fill_interval": "1.000s"}


def test_the_limit_over_all_can_be_lifted(edge: Edge) -> None:
    lifted = edge.model_copy(update={"rate_limit": None})
    assert "ubertruck.limit.all" not in filters(as_read(lifted))


def test_a_client_is_known_by_its_token_alone(edge: Edge) -> None:
    route = Route(
        upstream="service", path="/v1/a", client_limit=RateLimit(per_second=50, burst=100)
    )
    config = as_read(edge.model_copy(update={"routes": (route,)}))
    limit = routes(config)[0]["typed_per_filter_config"]["ubertruck.limit.client"]
    ((action,),) = (one["actions"] for one in limit["rate_limits"])
    assert action["metadata"]["metadata_key"]["path"] == [{"key": "payload"}, {"key": "sub"}]
    assert limit["descriptors"][0]["token_bucket"]["max_tokens"] == 100
    assert limit["max_dynamic_descriptors"] >= 100_000
    assert limit["always_consume_default_token_bucket"] is False


def test_whatever_is_not_open_needs_a_token(edge: Edge, config: dict[str, Any]) -> None:
    checks = as_read(edge.model_copy(update={"tokens": token_checks(Path(), file=None)}))
    rules = filters(checks)["ubertruck.tokens"]["typed_config"]["rules"]
    assert rules == [{"match": {"prefix": "/"}, "requirement_name": "token"}]
    opened = [
        route["name"]
        for route in routes(config)
        if "ubertruck.tokens" in route["typed_per_filter_config"]
    ]
    assert opened == ["/open", "/specification.json", "none", "none"]


def test_nothing_is_tried_twice(config: dict[str, Any]) -> None:
    assert "retry_policy" not in json.dumps(config)
    assert all(route["route"]["timeout"] == "30.000s" for route in routes(config)[:-2])


def test_prefixes_end_at_a_slash(edge: Edge) -> None:
    changed = edge.model_copy(
        update={
            "routes": (
                Route(upstream="service", prefix="/v1", methods=("GET", "HEAD")),
                Route(upstream="service", prefix="/"),
            )
        }
    )
    first, second, *_ = routes(as_read(changed))
    assert first["match"]["path_separated_prefix"] == "/v1"
    assert first["match"]["headers"][0]["string_match"]["safe_regex"]["regex"] == "GET|HEAD"
    assert second["match"] == {"prefix": "/"}


def test_services_close_connections_later_than_the_gateway(config: dict[str, Any]) -> None:
    for cluster in clusters(config).values():
        (options,) = cluster["typed_extension_protocol_options"].values()
        assert options["common_http_protocol_options"]["idle_timeout"] == "55.000s"
        (threshold,) = cluster["circuit_breakers"]["thresholds"]
        assert threshold["max_retries"] == 0
        assert threshold["max_connections"] < 1000


def test_names_are_looked_up_and_addresses_are_not(edge: Edge) -> None:
    named = Upstream(name="named", endpoints=(Endpoint(host="booking", port=80),))
    changed = edge.model_copy(update={"upstreams": (*edge.upstreams, named)})
    described = clusters(as_read(changed))
    assert described["service"]["type"] == "STATIC"
    assert described["named"]["cluster_type"]["name"] == "envoy.cluster.dns"


def test_logins_cannot_hold_up_the_keys(config: dict[str, Any]) -> None:
    described = clusters(config)
    assert (
        described["issuer-keys"]["load_assignment"]["endpoints"]
        == (described["issuer"]["load_assignment"]["endpoints"])
    )


def test_a_trusted_proxy_may_say_who_called(edge: Edge) -> None:
    def stripped(config: dict[str, Any]) -> set[str]:
        (mutation,) = manager(config)["early_header_mutation_extensions"]
        return {one["remove"] for one in mutation["typed_config"]["mutations"] if "remove" in one}

    assert "x-forwarded-for" in stripped(as_read(edge))
    behind = as_read(edge.model_copy(update={"trusted_hops": 1, "strip_headers": ("x-mine",)}))
    assert "x-forwarded-for" not in stripped(behind)
    assert {"x-forwarded-host", "x-user", "x-mine"} <= stripped(behind)
    assert manager(behind)["xff_num_trusted_hops"] == 1


def test_the_log_goes_to_standard_output_by_default(edge: Edge, config: dict[str, Any]) -> None:
    (log,) = manager(config)["access_log"]
    assert log["name"] == "envoy.access_loggers.stdout"
    (log,) = manager(as_read(edge.model_copy(update={"access_log": Path("/a")})))["access_log"]
    assert log["typed_config"]["path"] == "/a"
    assert "authorization" not in json.dumps(log).lower()


def test_the_admin_interface_is_private_or_off(edge: Edge, config: dict[str, Any]) -> None:
    assert config["admin"]["address"]["pipe"]["mode"] == 0o600
    assert "admin" not in as_read(edge.model_copy(update={"admin": None}))
    port = Admin(listen=Listen(host="127.0.0.1", port=9901))
    address = as_read(edge.model_copy(update={"admin": port}))["admin"]["address"]
    assert address["socket_address"] == {"address": "127.0.0.1", "port_value": 9901}


def test_large_documents_fit(edge: Edge, tmp_path: Path) -> None:
    file = tmp_path / "large.js"
    file.write_bytes(b"x" * 100_000)
    document = Document(path="/large.js", content_type="text/javascript", file=file)
    config = as_read(edge.model_copy(update={"documents": (document,)}))
    assert manager(config)["route_config"]["max_direct_response_body_size_bytes"] == 100_000
