"""What the endpoints share: the realm, the client at the other end, the person who calls."""

from typing import Annotated, Any, Final, cast

from fastapi import Depends, Header, Request, Response

from auth_service.client import Client
from auth_service.persons import Person, live_person
from auth_service.realm import Realm
from chassis.access import authenticate, authenticated
from chassis.app import runtime_of
from chassis.db import DatabaseUnavailable
from chassis.errors import (
    BadRequest,
    DomainError,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Unauthorized,
    UnsupportedMediaType,
)
from chassis.etags import IfMatch
from chassis.source import client_address
from chassis.tokens import Principal

READS: Final[tuple[type[DomainError], ...]] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    DatabaseUnavailable,
)
BODY: Final = (BadRequest, PayloadTooLarge, UnsupportedMediaType, DatabaseUnavailable)
WRITES: Final = (*READS, PayloadTooLarge, UnsupportedMediaType)
CHANGES: Final = (*WRITES, NotFound, PreconditionRequired, PreconditionFailed)
ETAG: Final[dict[str, Any]] = {
    "ETag": {"description": "For If-Match", "schema": {"type": "string"}}
}


def realm_of(request: Request) -> Realm:
    """The realm of the application that serves `request`."""
    return cast(Realm, request.app.state.realm)


async def _realm(request: Request) -> Realm:
    return realm_of(request)


async def _client(
    request: Request,
    device_id: Annotated[
        str | None,
        Header(
            alias="X-Device-Id",
            pattern="^[A-Za-z0-9._:-]{8,128}$",
            description="A random id that the client made once and keeps to itself. With it, a lost"
            " answer to a refresh can be asked for again from another address, and failures of"
            " others don't slow this device down. The role `driver` needs it",
        ),
    ] = None,
) -> Client:
    trusted = runtime_of(request).settings.trusted_proxies
    address = client_address(request, trusted_proxies=trusted)
    return Client(address=address, device_id=device_id)


async def _fresh_keys(request: Request) -> None:
    await realm_of(request).keys.freshen()


async def _person(
    request: Request,
    _fresh: Annotated[None, Depends(_fresh_keys)],
    principal: Annotated[Principal, authenticated()],
) -> Person:
    return await live_person(realm=realm_of(request), principal=principal)


async def person_of(request: Request) -> Person:
    """The person who calls, for endpoints that only sometimes need one; raises as `Caller` does."""
    await _fresh_keys(request)
    return await live_person(realm=realm_of(request), principal=await authenticate(request))


async def _seen(
    if_match: Annotated[
        str | None,
        Header(alias="If-Match", description="The ETag of the version that was read"),
    ] = None,
) -> IfMatch:
    return IfMatch.read(if_match)


async def _secret_answer(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


InRealm = Annotated[Realm, Depends(_realm)]
FromClient = Annotated[Client, Depends(_client)]
Caller = Annotated[Person, Depends(_person)]
SeenVersion = Annotated[IfMatch, Depends(_seen)]
NO_STORE: Final = Depends(_secret_answer)
