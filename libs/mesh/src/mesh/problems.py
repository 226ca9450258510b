"""Every answer that Envoy makes itself as `application/problem+json` (RFC 9457)."""

from typing import NamedTuple

from mesh.proto import Json, set_header
from mesh.tokens import FAILURE, METADATA

PROBLEM_JSON = "application/problem+json"


class Problem(NamedTuple):
    """What is said for one status. None of it tells of our inside."""

    status: int
    type: str
    title: str
    detail: str


PROBLEMS = (
    Problem(400, "bad-request", "Bad request", "The request can't be read."),
    Problem(401, "unauthorized", "Authentication needed", "A valid access token is needed."),
    Problem(403, "forbidden", "Not allowed", "This is not allowed."),
    Problem(404, "not-found", "Not found", "Nothing is at this path."),
    Problem(408, "request-timeout", "Request too slow", "The request took too long to arrive."),
    Problem(413, "payload-too-large", "Body too large", "The body is over the limit."),
    Problem(426, "upgrade-required", "HTTP version too old", "HTTP/1.1 or HTTP/2 is needed."),
    Problem(429, "too-many-requests", "Too many requests", "Slow down, and come back later."),
    Problem(431, "headers-too-large", "Headers too large", "The headers are over the limit."),
    Problem(501, "not-implemented", "Not implemented", "This transfer encoding isn't known here."),
    Problem(502, "bad-gateway", "Bad answer from a service", "A service's answer can't be read."),
    Problem(503, "unavailable", "Temporarily unavailable", "Please try again in a moment."),
    Problem(504, "timeout", "Timed out", "The service took too long to answer."),
)
_OTHER = Problem(500, "edge", "The request was refused", "The gateway can't pass this on.")

_INSTANCE: Json = {"instance": "urn:uuid:%REQ(X-REQUEST-ID)%"}
# Some requests are refused before they are read far enough to get an id.
_NO_ID: Json = {
    "header_filter": {
        "header": {"name": "x-request-id", "present_match": True, "invert_match": True}
    }
}


def local_replies(problem_base: str) -> Json:
    """The mappers of the edge's connection manager. The first that fits is used."""
    return {"mappers": [_wrong_audience(problem_base), *_by_status(problem_base)]}


def hop_replies(problem_base: str) -> Json:
    """The mappers of the data plane behind the edge, which checks no tokens."""
    return {"mappers": _by_status(problem_base)}


def _by_status(problem_base: str) -> list[Json]:
    """The last of them always fits."""
    mappers: list[Json] = []
    conditions = [(_status("EQ", one.status), _document(one, problem_base)) for one in PROBLEMS]
    rest = _document(_OTHER, problem_base) | {"status": "%RESPONSE_CODE%"}
    conditions.append((_status("GE", 400), rest))
    for condition, document in conditions:
        without_id: Json = {"and_filter": {"filters": [condition, _NO_ID]}}
        mappers.append(_mapper(without_id, document))
        mappers.append(_mapper(condition, document | _INSTANCE))
    return mappers


def _wrong_audience(problem_base: str) -> Json:
    """Envoy answers 403 for a token that is meant for someone else; here every bad token is 401."""
    failed: Json = {
        "filter": METADATA,
        "path": [{"key": FAILURE}, {"key": "code"}],
        "value": {"present_match": True},
    }
    by_token: Json = {"metadata_filter": {"matcher": failed, "match_if_key_not_found": False}}
    unauthorized = next(problem for problem in PROBLEMS if problem.status == 401)
    mapper = _mapper(
        {"and_filter": {"filters": [_status("EQ", 403), by_token]}},
        _document(unauthorized, problem_base) | _INSTANCE,
        set_header("www-authenticate", 'Bearer error="invalid_token"'),
    )
    return mapper | {"status_code": 401}


def _document(problem: Problem, problem_base: str) -> Json:
    return {
        "type": problem_base + problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }


def _status(operator: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"edge.reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}


def _mapper(condition: Json, document: Json, *more: Json) -> Json:
    headers = [set_header("cache-control", "no-store"), *more]
    if document["status"] == 503:
        headers.append(set_header("retry-after", "1"))
    return {
        "filter": condition,
        "headers_to_add": headers,
        "body_format_override": {"json_format": document, "content_type": PROBLEM_JSON},
    }
