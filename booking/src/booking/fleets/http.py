"""What the endpoints of fleets have in common."""

from typing import Annotated, Any, Final

from fastapi import Depends, Header, Response

from booking.endpoints import Source
from booking.fleets.service import Caller
from chassis.access import Grant, requires
from chassis.db import DatabaseUnavailable
from chassis.errors import (
    BadRequest,
    Forbidden,
    Invalid,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from chassis.etags import IfMatch, etag
from chassis.idempotency import KeyInFlight, KeyReused

READS: Final = (
    BadRequest,
    Unauthorized,
    Forbidden,
    TooManyRequests,
    DatabaseUnavailable,
    Invalid,
)
WRITES: Final = (*READS, PayloadTooLarge, UnsupportedMediaType)
POSTS: Final = (*WRITES, KeyInFlight, KeyReused)
SEEN: Final = (PreconditionFailed, PreconditionRequired)
ETAG: Final[dict[str, Any]] = {
    "headers": {
        "ETag": {"description": "The version, for `If-Match`", "schema": {"type": "string"}}
    }
}

MayRead = Annotated[Grant, requires("fleet", "read")]


async def _caller(grant: Annotated[Grant, requires("fleet", "write")], source: Source) -> Caller:
    return Caller(grant=grant, source_ip=source)


async def _seen(
    if_match: Annotated[
        str | None,
        Header(alias="If-Match", description="The ETag that the change was made from; required"),
    ] = None,
) -> IfMatch:
    return IfMatch.read(if_match)


Writer = Annotated[Caller, Depends(_caller)]
Seen = Annotated[IfMatch, Depends(_seen)]


def tag(response: Response, version: int) -> None:
    """Send the version along."""
    response.headers["ETag"] = etag(version)
