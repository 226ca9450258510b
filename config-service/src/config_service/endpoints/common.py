"""What the endpoints share: the address, the caller, the preconditions, the answers."""

from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Request, Response

from chassis import etags
from chassis.access import Grant, Scope, requires
from chassis.app import runtime_of
from chassis.db import DatabaseUnavailable
from chassis.errors import (
    BadRequest,
    DomainError,
    Forbidden,
    PayloadTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from chassis.source import client_address
from config_service.addresses import Address, ConfigPath, EnvironmentName, ServiceName
from config_service.callers import Caller
from config_service.errors import (
    ApprovalRequired,
    ApprovalUsed,
    ConfigurationChanged,
    InvalidConfiguration,
    VersionNotFound,
    VersionUnnamed,
)
from config_service.preconditions import Precondition
from config_service.rendering import configuration_of
from config_service.schemas import Configuration
from config_service.service.reading import Content

PREFIX: Final = "/v1/config/{service}/{environment}/{path:path}"

READS: Final[tuple[type[DomainError], ...]] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    TooManyRequests,
    DatabaseUnavailable,
)
WRITES: Final = (
    *READS,
    PayloadTooLarge,
    UnsupportedMediaType,
    InvalidConfiguration,
    VersionNotFound,
    VersionUnnamed,
    ConfigurationChanged,
)
APPROVED: Final = (ApprovalRequired, ApprovalUsed)

ETAG: Final[dict[str, Any]] = {
    "ETag": {"description": "For If-Match and If-None-Match", "schema": {"type": "string"}}
}
NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "Still what If-None-Match says", "headers": ETAG}
}


async def _address(
    service: ServiceName, environment: EnvironmentName, path: Annotated[ConfigPath, Path()]
) -> Address:
    return Address(service, environment, path)


async def _reader(request: Request, grant: Annotated[Grant, requires("config", "read")]) -> Caller:
    return _caller(request, grant)


async def _writer(request: Request, grant: Annotated[Grant, requires("config", "write")]) -> Caller:
    return _caller(request, grant)


async def _approver(
    request: Request, grant: Annotated[Grant, requires("config", "approve")]
) -> Caller:
    return _caller(request, grant)


def _caller(request: Request, grant: Grant) -> Caller:
    # Configuration belongs to the platform: a permission for less than all of it reaches nothing.
    if grant.scope is not Scope.ALL:
        raise Forbidden("Configuration is for those who may see all of it.")
    trusted = runtime_of(request).settings.trusted_proxies
    address = client_address(request, trusted_proxies=trusted)
    return Caller(grant.principal.subject, None if address is None else str(address))


async def _precondition(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match", description="The ETag of the version that the change was made from"
        ),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(alias="If-None-Match", description="`*` to create where nothing is active"),
    ] = None,
) -> Precondition:
    return Precondition.read(if_match, if_none_match)


async def _seen(
    if_none_match: Annotated[
        str | None,
        Header(
            alias="If-None-Match", description="ETags that you have; then 304 if one is still right"
        ),
    ] = None,
) -> etags.IfNoneMatch:
    return etags.IfNoneMatch.read(if_none_match)


At = Annotated[Address, Depends(_address)]
Reader = Annotated[Caller, Depends(_reader)]
Writer = Annotated[Caller, Depends(_writer)]
Approver = Annotated[Caller, Depends(_approver)]
IfMatch = Annotated[Precondition, Depends(_precondition)]
IfNoneMatch = Annotated[etags.IfNoneMatch, Depends(_seen)]


def answer(response: Response, content: Content) -> Configuration | Response:
    """The content with its entity tag, or 304 when the caller has it already."""
    headers = {"ETag": etags.etag(content.etag), "Cache-Control": "private, no-cache"}
    if content.data is None:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return configuration_of(content)
