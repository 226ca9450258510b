"""Keyset pages: a list is read by `limit` and `cursor`, newest first, and never skips or repeats.

A cursor is opaque to clients: the sort key of the last row they saw, as base64url JSON.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from chassis.errors import BadRequest

Row = TypeVar("Row")
Item = TypeVar("Item")
Statement = TypeVar("Statement", bound=Select[*tuple[Any, ...]])

Limit = Annotated[int, Query(ge=1, le=200, description="Rows a page")]
CursorParam = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="`next_cursor` of the page before"),
]


class BadCursor(BadRequest):
    """The cursor isn't one that this list gave."""

    type = "bad-cursor"
    title = "Unknown cursor"


class Key(NamedTuple):
    """Where a page ended: the row's time and its id, which breaks ties."""

    at: datetime
    id: UUID


class Page(BaseModel, Generic[Item]):
    """One page of a list; without `next_cursor` it is the last."""

    items: list[Item]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page")


def encode_cursor(key: Key) -> str:
    """The cursor that continues after `key`."""
    raw = orjson.dumps([key.at.astimezone(UTC).isoformat(), str(key.id)])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> Key:
    """The key in `cursor`; raises `BadCursor`."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, row_id = orjson.loads(raw)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise BadCursor
        # In UTC here, and not on its way to Postgres: year 1 in the east is before the calendar.
        return Key(moment.astimezone(UTC), UUID(row_id))
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise BadCursor from error


def keyset(
    statement: Statement,
    *,
    at: InstrumentedAttribute[datetime] | ColumnElement[datetime],
    row_id: InstrumentedAttribute[UUID] | ColumnElement[UUID],
    cursor: str | None,
    limit: int,
) -> Statement:
    """Newest first, from behind `cursor`; asks for one row more than the page, to know the end."""
    if cursor is not None:
        key = decode_cursor(cursor)
        statement = statement.where(tuple_(at, row_id) < (key.at, key.id))
    return statement.order_by(at.desc(), row_id.desc()).limit(limit + 1)


def page_of(
    rows: Sequence[Row],
    *,
    limit: int,
    key: Callable[[Row], Key],
    render: Callable[[Row], Item],
) -> Page[Item]:
    """Cut the row too many off `rows` and say where to go on."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(
        items=[render(row) for row in shown],
        next_cursor=encode_cursor(key(shown[-1])) if more else None,
    )
