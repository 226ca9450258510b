"""The routes of a virtual service for one caller: which request goes where, how often, how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mesh.appmesh.common import Duration, Key
from mesh.appmesh.kinds import VirtualService
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.routers import HeaderMatch, HttpMatch, HttpRoute, RetryPolicy, Route
from mesh.appmesh.rules import DEFAULT_REQUEST_SECONDS
from mesh.proto import Json, duration

# What App Mesh makes of the names of its events.
EVENTS: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "server-error": ("reset", (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511)),
    "gateway-error": ("reset", (502, 503, 504)),
    "client-error": ("", (409,)),
    "stream-error": ("refused-stream", ()),
    "connection-error": ("connect-failure", ()),
}
_BY_STATUS = "retriable-status-codes"
_LAST = 1001


@dataclass(frozen=True, kw_only=True)
class Share:
    """A cluster and its part of the requests, out of the sum of all weights."""

    cluster: str
    weight: int


@dataclass(frozen=True, kw_only=True)
class Split:
    """A route. `timeout` bounds all attempts together, in seconds; 0 is no bound."""

    name: str
    match: HttpMatch
    shares: tuple[Share, ...]
    timeout: float
    idle: float | None
    retries: RetryPolicy | None


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A service that a caller may call: the name and port that it dials, the routes in order."""

    service: str
    host: str
    port: int
    splits: tuple[Split, ...]


def cluster_name(caller: Key, node: Key) -> str:
    """The cluster in which a caller keeps its connections to a node, and what it thinks of it."""
    return f"egress_{caller.name}_{node.name}"


def outgoing(manifests: Manifests, caller: Key) -> list[Outgoing]:
    """The HTTP services among a virtual node's backends. Other protocols go their own way."""
    found: list[Outgoing] = []
    for service in manifests.backends_of(manifests.nodes[caller]):
        router = manifests.router_of(service)
        if router is None:
            continue
        for listener in router.spec.listeners:
            mapping = listener.port_mapping
            if mapping.protocol == "http":
                splits = tuple(_splits(manifests, service, caller, mapping.port))
                found.append(
                    Outgoing(
                        service=service.metadata.name,
                        host=service.host,
                        port=mapping.port,
                        splits=splits,
                    )
                )
    return found


def _splits(manifests: Manifests, service: VirtualService, caller: Key, port: int) -> list[Split]:
    router = manifests.router_of(service)
    if router is None:
        return []
    namespace = router.metadata.namespace
    routes = sorted(router.spec.routes, key=_order)
    return [
        _split(route.name, route.http_route, namespace, caller)
        for route in routes
        if route.http_route and route.http_route.match.port in (None, port)
    ]


def _order(route: Route) -> tuple[int, ...]:
    """By priority, and among equals the narrower match first."""
    match = route.http_route.match if route.http_route else HttpMatch(prefix="/")
    path = match.path
    kind = 2 if path is None else 0 if path.exact else 1
    conditions = (match.method is not None) + len(match.headers) + len(match.query_parameters)
    priority = _LAST if route.priority is None else route.priority
    return (priority, kind, -len(match.prefix or ""), -conditions)


def _split(name: str, route: HttpRoute, namespace: str, caller: Key) -> Split:
    policy = route.retry_policy
    timeout = route.timeout
    return Split(
        name=name,
        match=route.match,
        shares=tuple(
            Share(
                cluster=cluster_name(caller, target.virtual_node_ref.key(namespace)),
                weight=target.weight,
            )
            for target in route.action.weighted_targets
        ),
        timeout=_seconds(timeout.per_request if timeout else None, DEFAULT_REQUEST_SECONDS),
        idle=timeout.idle.seconds if timeout and timeout.idle else None,
        retries=policy if policy and policy.max_retries else None,
    )


def _seconds(given: Duration | None, default: float) -> float:
    return default if given is None else given.seconds


def action(split: Split) -> Json:
    """What is done with a request that matches."""
    done: Json = {
        "weighted_clusters": {
            "clusters": [{"name": one.cluster, "weight": one.weight} for one in split.shares]
        },
        "timeout": duration(split.timeout),
    }
    if split.idle is not None:
        done["idle_timeout"] = duration(split.idle)
    if split.retries:
        done["retry_policy"] = _retry_policy(split.retries)
    return done


def _retry_policy(policy: RetryPolicy) -> Json:
    events = [EVENTS[name] for name in (*policy.http_retry_events, *policy.tcp_retry_events)]
    codes = sorted({code for _, codes in events for code in codes})
    conditions = sorted({condition for condition, _ in events if condition})
    done: Json = {
        "retry_on": ",".join([*conditions, *([_BY_STATUS] if codes else [])]),
        "num_retries": policy.max_retries,
        # Another endpoint than the one that just failed, if there is one.
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host."
                    "previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": 5,
    }
    if codes:
        done["retriable_status_codes"] = codes
    if policy.per_retry_timeout.value:
        done["per_try_timeout"] = duration(policy.per_retry_timeout.seconds)
    return done


def conditions(match: HttpMatch, *more: Json) -> Json:
    """All of a match but its path; `more` are further conditions on headers."""
    headers = [_header(header) for header in match.headers]
    for name, value in ((":method", match.method), (":scheme", match.scheme)):
        if value:
            headers.append({"name": name, "string_match": {"exact": value}})
    headers += more
    done: Json = {}
    if headers:
        done["headers"] = headers
    if match.query_parameters:
        done["query_parameters"] = [
            {
                "name": one.name,
                **(
                    {"string_match": {"exact": one.match.exact}}
                    if one.match
                    else {"present_match": True}
                ),
            }
            for one in match.query_parameters
        ]
    return done


def _header(header: HeaderMatch) -> Json:
    value = header.match
    done: Json = {"name": header.name.lower(), "invert_match": header.invert}
    if value is None:
        return done | {"present_match": True}
    if value.range:
        # Both end before `end`.
        return done | {"range_match": {"start": value.range.start, "end": value.range.end}}
    if value.regex:
        return done | {"string_match": {"safe_regex": {"regex": value.regex}}}
    ways = {"exact": value.exact, "prefix": value.prefix, "suffix": value.suffix}
    return done | {"string_match": {name: text for name, text in ways.items() if text}}


def path_match(match: HttpMatch) -> Json:
    """The path of a match as Envoy's route match says it."""
    if match.path is None:
        return {"prefix": match.prefix}
    if match.path.exact:
        return {"path": match.path.exact}
    return {"safe_regex": {"regex": match.path.regex}}
