"""Routes: which request goes where, and what each route says to the filters."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import cast

from mesh.body import FILTER as BODY_FILTER
from mesh.body import body_ignored
from mesh.dataplane.narrowing import narrowed
from mesh.dataplane.splits import Outgoing, action
from mesh.description import Document, Edge, Route
from mesh.limits import CLIENT_FILTER, client_limit
from mesh.proto import Json, duration, set_header, typed
from mesh.tokens import FILTER as TOKEN_FILTER
from mesh.tokens import open_route

_CORS_FILTER = "envoy.filters.http.cors"
_LARGEST_TEXT = 64 * 1024


def route_configuration(
    edge: Edge, services: Mapping[str, Outgoing] = MappingProxyType({})
) -> Json:
    """All routes of the gateway, in order; what fits none of them is 404 without asking a token.

    `services` are those, by upstream, whose mesh routes are taken by the gateway itself.
    """
    return {
        "name": "edge",
        "max_direct_response_body_size_bytes": _largest(edge.documents),
        # Not for services: who calls stands in x-forwarded-for, once.
        "request_headers_to_remove": ["x-envoy-external-address"],
        "response_headers_to_add": [set_header("x-content-type-options", "nosniff")],
        "virtual_hosts": [
            {
                "name": "edge",
                "domains": ["*"],
                **({"include_request_attempt_count": True} if services else {}),
                "typed_per_filter_config": _cors(edge),
                "routes": [
                    *(_document(document) for document in edge.documents),
                    *(one for route in edge.routes for one in _routes(edge, route, services)),
                    _nothing_there({"prefix": "/"}),
                    _nothing_there({"connect_matcher": {}}),
                ],
            }
        ],
    }


def _routes(edge: Edge, route: Route, services: Mapping[str, Outgoing]) -> Iterator[Json]:
    if route.upstream not in services:
        yield _route(route, edge, _match(route), _action(route))
        return
    for split in services[route.upstream].splits:
        narrower = narrowed(route, split.match)
        if narrower is not None:
            # A stream, whose time-out is 0, stays one.
            bounded = replace(split, timeout=min(split.timeout, route.timeout))
            yield _route(route, edge, _both(_match(route), narrower), action(bounded))


def _route(route: Route, edge: Edge, match: Json, action: Json) -> Json:
    filters: Json = {}
    if not route.needs_token:
        filters[TOKEN_FILTER] = open_route()
    if route.client_limit:
        filters[CLIENT_FILTER] = client_limit(route.client_limit, shared=bool(edge.replicas))
    if route.rewrite:
        action["prefix_rewrite"] = route.rewrite
    authority = edge.upstream(route.upstream).authority
    if authority:
        action["host_rewrite_literal"] = authority
    return {
        "name": route.path or route.prefix,
        "match": match,
        "route": action,
        "typed_per_filter_config": filters,
    }


def _action(route: Route) -> Json:
    return {"cluster": route.upstream, "timeout": duration(route.timeout)}


def _both(match: Json, narrower: Json) -> Json:
    both = {**match, **narrower}
    headers = [*_headers(match), *_headers(narrower)]
    return {**both, "headers": headers} if headers else both


def _headers(match: Json) -> list[object]:
    return list(cast("list[object]", match.get("headers", [])))


def _match(route: Route) -> Json:
    match: Json
    if route.path:
        match = {"path": route.path}
    elif route.prefix == "/":
        match = {"prefix": "/"}
    else:
        match = {"path_separated_prefix": route.prefix}
    if route.methods:
        match["headers"] = [_method(*route.methods)]
    return match


def _method(*methods: str) -> Json:
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(methods)}}}


def _document(document: Document) -> Json:
    body = {"filename": str(document.file)} if document.file else {"inline_string": document.text}
    headers = (("content-type", document.content_type), *document.headers)
    return {
        "name": document.path,
        "match": {"path": document.path, "headers": [_method("GET", "HEAD")]},
        "direct_response": {"status": 200, "body": body},
        "response_headers_to_add": [set_header(name, value) for name, value in headers],
        "typed_per_filter_config": _answered_here(),
    }


def _nothing_there(match: Json) -> Json:
    return {
        "name": "none",
        "match": match,
        "direct_response": {"status": 404},
        "typed_per_filter_config": _answered_here(),
    }


def _answered_here() -> Json:
    """No token is needed, and no body is waited for."""
    return {TOKEN_FILTER: open_route(), BODY_FILTER: body_ignored()}


def _largest(documents: tuple[Document, ...]) -> int:
    sizes = [document.file.stat().st_size for document in documents if document.file]
    return max([_LARGEST_TEXT, *sizes])


def _cors(edge: Edge) -> Json:
    if not edge.cors.origins:
        return {}
    return {
        _CORS_FILTER: typed(
            "extensions.filters.http.cors.v3.CorsPolicy",
            allow_origin_string_match=[{"exact": origin} for origin in edge.cors.origins],
            allow_methods="GET, HEAD, POST, PUT, PATCH, DELETE",
            allow_headers=", ".join(edge.cors.allow_headers),
            expose_headers=", ".join(edge.cors.expose_headers),
            max_age=str(edge.cors.max_age),
            # Callers are known by a token that they send themselves, never by a cookie.
            allow_credentials=False,
            forward_not_matching_preflights=False,
        )
    }
