"""What becomes of a router's routes, down to the words that Envoy reads."""

from typing import Any

import pytest

from mesh.appmesh.common import Key
from mesh.dataplane import egress
from mesh.dataplane.splits import outgoing

from .shop import FRONT, shop

GET = "match: {prefix: /, method: GET}"


def read_route(match: str) -> dict[str, Any]:
    """The route `read` with another match, as Envoy reads it."""
    hosts: Any = egress.routes(shop({GET: f"match: {match}"}), FRONT)["virtual_hosts"]
    (found,) = (route for route in hosts[0]["routes"] if route["name"] == "stock-service/read")
    return found


@pytest.mark.parametrize(
    ("match", "means"),
    [
        ("{prefix: /a}", {"prefix": "/a"}),
        ("{path: {exact: /a}}", {"path": "/a"}),
        ("{path: {regex: '/a.*'}}", {"safe_regex": {"regex": "/a.*"}}),
        (
            "{prefix: /, method: PUT, scheme: http}",
            {
                "prefix": "/",
                "headers": [
                    {"name": ":method", "string_match": {"exact": "PUT"}},
                    {"name": ":scheme", "string_match": {"exact": "http"}},
                ],
            },
        ),
        (
            "{prefix: /, headers: [{name: A, invert: true}, {name: b, match: {prefix: c}}]}",
            {
                "prefix": "/",
                "headers": [
                    {"name": "a", "invert_match": True, "present_match": True},
                    {"name": "b", "invert_match": False, "string_match": {"prefix": "c"}},
                ],
            },
        ),
        (
            "{prefix: /, headers: [{name: n, match: {range: {start: 1, end: 5}}}, "
            "{name: r, match: {regex: 'x+'}}, {name: s, match: {suffix: z}}]}",
            {
                "prefix": "/",
                "headers": [
                    {"name": "n", "invert_match": False, "range_match": {"start": 1, "end": 5}},
                    {
                        "name": "r",
                        "invert_match": False,
                        "string_match": {"safe_regex": {"regex": "x+"}},
                    },
                    {"name": "s", "invert_match": False, "string_match": {"suffix": "z"}},
                ],
            },
        ),
        (
            "{prefix: /, queryParameters: [{name: a}, {name: b, match: {exact: c}}]}",
            {
                "prefix": "/",
                "query_parameters": [
                    {"name": "a", "present_match": True},
                    {"name": "b", "string_match": {"exact": "c"}},
                ],
            },
        ),
    ],
)
def test_a_match_keeps_its_meaning(match: str, means: dict[str, Any]) -> None:
    assert read_route(match)["match"] == means


def test_retries_are_what_app_mesh_makes_of_them() -> None:
    assert read_route("{prefix: /, method: GET}")["route"]["retry_policy"] | {
        "retry_host_predicate": []
    } == {
        "retry_on": "connect-failure,refused-stream,reset,retriable-status-codes",
        "retriable_status_codes": [502, 503, 504],
        "num_retries": 3,
        "per_try_timeout": "10.000s",
        "retry_host_predicate": [],
        "host_selection_retry_max_attempts": 5,
    }


def test_routes_stand_in_the_order_of_their_priorities_then_of_how_narrow_they_are() -> None:
    swapped = {"priority: 0\n": "priority: 7\n", "      priority: 1000\n": ""}
    names = [split.name for split in outgoing(shop(swapped), FRONT)[0].splits]
    assert names == ["look-at-green", "stream", "hasty", "read", "write-with-key", "any"]
    alike = {f"priority: {number}\n": "priority: 7\n" for number in (0, 10, 15, 20, 30, 1000)}
    names = [split.name for split in outgoing(shop(alike), FRONT)[0].splits]
    assert names == ["stream", "hasty", "write-with-key", "look-at-green", "read", "any"]


def test_a_caller_knows_its_backends_and_nobody_else() -> None:
    assert [one.service for one in outgoing(shop(), FRONT)] == ["stock-service", "pay-service"]
    assert outgoing(shop(), Key("shop", "pay-blue")) == []
