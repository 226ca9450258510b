"""Errors that know their HTTP status, and the one place that renders them.

DomainError
├── BadRequest            400   the request can't be read
├── Unauthorized          401   no token, or one that can't be believed
├── Forbidden             403   a good token that doesn't allow this
├── NotFound              404   also another tenant's row
├── Conflict              409   the state forbids it
├── PreconditionFailed    412   If-Match names another version
├── PayloadTooLarge       413
├── UnsupportedMediaType  415
├── Invalid               422   readable, but not acceptable
├── PreconditionRequired  428   If-Match is missing
├── TooManyRequests       429
├── InternalError         500   a fault of ours
└── Unavailable           503   something that we stand on is away

Every answer of 400 and above is `application/problem+json` (RFC 9457) with a stable `type`, and
tells nothing of our inside: no stack, no SQL, no host names.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

PROBLEM_BASE = "https://ubertruck.in/problems/"
PROBLEM_JSON = "application/problem+json"


class DomainError(Exception):
    """A refusal that the caller is told of. Subclass it beside the rule that raises it.

    `detail` is one sentence for a person; keyword arguments become members of the problem document.
    """

    status: ClassVar[int] = 400
    type: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "Bad request"

    def __init__(
        self, detail: str = "", *, headers: dict[str, str] | None = None, **extensions: object
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = headers or {}
        self.extensions = extensions


class BadRequest(DomainError):
    """The request can't be read."""


class Unauthorized(DomainError):
    """No token, or one that can't be believed."""

    status = 401
    type = "unauthorized"
    title = "Authentication needed"

    def __init__(self, detail: str = "", **extensions: object) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, **extensions)


class Forbidden(DomainError):
    """A good token that doesn't allow this."""

    status = 403
    type = "forbidden"
    title = "Not allowed"


class NotFound(DomainError):
    """Not there, or not yours to see."""

    status = 404
    type = "not-found"
    title = "Not found"


class Conflict(DomainError):
    """The present state forbids it."""

    status = 409
    type = "conflict"
    title = "Conflict"


class PreconditionFailed(DomainError):
    """`If-Match` names a version that isn't the present one."""

    status = 412
    type = "precondition-failed"
    title = "Changed meanwhile"


class PayloadTooLarge(DomainError):
    """The body is over the limit."""

    status = 413
    type = "payload-too-large"
    title = "Body too large"


class UnsupportedMediaType(DomainError):
    """The body isn't of the content type that the route reads."""

    status = 415
    type = "unsupported-media-type"
    title = "Unsupported content type"


class Invalid(DomainError):
    """Readable, but not acceptable."""

    status = 422
    type = "invalid"
    title = "Invalid request"


class PreconditionRequired(DomainError):
    """The write needs `If-Match`."""

    status = 428
    type = "precondition-required"
    title = "Precondition required"


class TooManyRequests(DomainError):
    """Slow down; `retry_after` is in seconds."""

    status = 429
    type = "too-many-requests"
    title = "Too many requests"

    def __init__(self, detail: str = "", *, retry_after: float, **extensions: object) -> None:
        seconds = max(1, math.ceil(retry_after))
        super().__init__(
            detail, headers={"Retry-After": str(seconds)}, retryAfter=seconds, **extensions
        )


class InternalError(DomainError):
    """A fault of ours; the log knows more."""

    status = 500
    type = "internal-error"
    title = "Something went wrong on our side"


class Unavailable(DomainError):
    """Something that we stand on is away; `retry_after` is in seconds."""

    status = 503
    type = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str = "", *, retry_after: float = 1, **extensions: object) -> None:
        seconds = max(1, math.ceil(retry_after))
        super().__init__(detail, headers={"Retry-After": str(seconds)}, **extensions)


class FieldError(BaseModel):
    """One thing that is wrong with one field."""

    pointer: str = Field(description="JSON Pointer into the body, or the parameter's name")
    message: str
    code: str


class Problem(BaseModel):
    """RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None


def problem_response(error: DomainError) -> Response:
    """Render a refusal as `application/problem+json`."""
    document: dict[str, object] = {
        "type": PROBLEM_BASE + error.type,
        "title": error.title,
        "status": error.status,
    }
    if error.detail:
        document["detail"] = error.detail
    document.update(error.extensions)
    return Response(
        orjson.dumps(document),
        status_code=error.status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **error.headers},
    )


def problems(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer these errors."""
    titles: dict[int, list[str]] = {}
    for error in errors:
        titles.setdefault(error.status, []).append(error.title)
    return {
        status: {
            "description": " / ".join(dict.fromkeys(names)),
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, names in sorted(titles.items())
    }


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Turn pydantic's error list into pointers and messages, without echoing what was sent."""
    return [
        {
            "pointer": _pointer(error["loc"]),
            "message": str(error["msg"]),
            "code": str(error["type"]),
        }
        for error in errors[:50]
    ]


def _pointer(location: Sequence[str | int]) -> str:
    if location and location[0] == "body":
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location[1:])
        return "".join(f"/{part}" for part in parts)
    return str(location[-1]) if location else ""
