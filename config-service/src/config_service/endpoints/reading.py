"""GET: the active content, older versions, the history, the schemas."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from chassis.db import Session
from chassis.errors import Invalid, problems
from chassis.pagination import BadCursor, Limit, Page
from chassis.routing import StrictRoute
from config_service.endpoints.common import (
    ETAG,
    NOT_MODIFIED,
    PREFIX,
    READS,
    At,
    IfNoneMatch,
    Reader,
    answer,
)
from config_service.errors import ConfigurationNotFound, VersionNotFound
from config_service.registry import REGISTRATIONS
from config_service.rendering import entry_of
from config_service.schemas import (
    Configuration,
    HistoryEntry,
    SchemaList,
    SchemaOut,
    VersionNumber,
)
from config_service.service import reading

router = APIRouter(route_class=StrictRoute, tags=["configuration"])
narrower = APIRouter(route_class=StrictRoute, tags=["history"])

_CONTENT = {200: {"headers": ETAG}, **NOT_MODIFIED}
_ABSENT = (*READS, Invalid, ConfigurationNotFound)


@narrower.get("/v1/config/schemas", responses=problems(*READS), summary="Which paths have a schema")
async def list_schemas(caller: Reader) -> SchemaList:
    """Schemas hold for every environment. A path without one takes any JSON object."""
    return SchemaList(
        items=[
            SchemaOut(
                service=registration.service,
                path_pattern=registration.path_pattern,
                json_schema=registration.schema,
            )
            for registration in REGISTRATIONS
        ]
    )


@narrower.get(
    PREFIX + "/history",
    responses=problems(*_ABSENT, BadCursor),
    summary="List the versions, newest first",
)
async def read_history(
    caller: Reader,
    address: At,
    session: Session,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the page before")
    ] = None,
) -> Page[HistoryEntry]:
    """Every version that there ever was, without content. It outlives a deletion."""
    found = await reading.read_history(
        session, address=address, caller=caller, before=_before(cursor), limit=limit + 1
    )
    shown = found[:limit]
    return Page(
        items=[entry_of(past) for past in shown],
        next_cursor=str(shown[-1].version.version_number) if len(found) > limit else None,
    )


@narrower.get(
    PREFIX + "/versions/{version}",
    response_model=Configuration,
    responses=_CONTENT | problems(*READS, Invalid, VersionNotFound),
    summary="Read one version",
)
async def read_version(
    caller: Reader,
    address: At,
    version: Annotated[VersionNumber, Path()],
    session: Session,
    seen: IfNoneMatch,
    response: Response,
) -> Configuration | Response:
    """What the version held, whether it is active or not."""
    content = await reading.read_version(
        session, address=address, caller=caller, seen=seen, version=version
    )
    return answer(response, content)


@router.get(
    PREFIX,
    response_model=Configuration,
    responses=_CONTENT | problems(*_ABSENT),
    summary="Retrieve configuration",
)
async def read_configuration(
    caller: Reader, address: At, session: Session, seen: IfNoneMatch, response: Response
) -> Configuration | Response:
    """The active content. Every answer of 200 is kept in the audit; 304 isn't."""
    content = await reading.read_active(session, address=address, caller=caller, seen=seen)
    return answer(response, content)


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdecimal() or not 1 <= int(cursor) < 2**31:
        raise BadCursor
    return int(cursor)
