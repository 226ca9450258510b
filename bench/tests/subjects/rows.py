"""What stands in the three tables that a booking writes to."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

TABLES = ("bookings", "outbox", "idempotency_records")
# What differs from one booking to the next, and what follows from the time of day.
PASSING = frozenset(
    {
        "id",
        "booking_id",
        "subject",
        "created_at",
        "updated_at",
        "occurred_at",
        "requested_at",
        "created_on",
        "traceparent",
        "fingerprint",
        "hour",
        "weekday",
        "month",
    }
)
OWNERS = frozenset({"tenant_id", "shipper_id", "principal", "key"})

Rows = Mapping[str, list[dict[str, Any]]]


async def rows_of(url: str) -> Rows:
    """Every row, by table."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = {
            table: [dict(row) for row in (await connection.execute(statement)).mappings()]
            for table, statement in _STATEMENTS.items()
        }
    await engine.dispose()
    return found


async def execute(url: str, statement: str) -> None:
    """Run one statement for good."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncGenerator[None]:
    """Nobody writes to the table meanwhile."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
        yield
    await engine.dispose()


async def counts_of(url: str) -> list[int]:
    """How many rows each of `TABLES` holds."""
    return [len(rows) for rows in (await rows_of(url)).values()]


def lasting(rows: Rows, *, without: frozenset[str] = frozenset()) -> object:
    """The one row of each table, but for what is `PASSING`, with the kept answer read as JSON."""
    dropped = PASSING | without
    kept = {table: _without(dropped, _only(found)) for table, found in rows.items()}
    kept["idempotency_records"]["body"] = _without(
        dropped, json.loads(kept["idempotency_records"]["body"])
    )
    return kept


def _only(found: list[dict[str, Any]]) -> dict[str, Any]:
    [row] = found
    return row


def _without(dropped: frozenset[str], value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    return {
        name: _without(dropped, member) for name, member in members.items() if name not in dropped
    }


_STATEMENTS = {table: text(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608 - names of this module
