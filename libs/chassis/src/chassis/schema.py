"""Which code a database serves.

The database holds its own revision and the lowest revision of code that still works on it. Blue
and green share a database, so code that is newer than the database merely isn't ready yet, and code
that the database has left behind refuses to start.
"""

from sqlalchemy import Row, text
from sqlalchemy.exc import ProgrammingError

from chassis.db import Database

_UNDEFINED_TABLE = "42P01"


class SchemaError(Exception):
    """The database doesn't serve this code. The message is one sentence for an operator."""


async def check_serves(database: Database, code_revision: int) -> None:
    """Raise `SchemaError` when the database has left this code behind.

    A database that isn't migrated yet passes: see `schema_problem`.
    """
    found = await _read(database)
    if found is not None and found.minimum_code > code_revision:
        raise SchemaError(
            f"The database serves code of revision {found.minimum_code} and newer; "
            f"this is revision {code_revision}."
        )


async def schema_problem(database: Database, code_revision: int) -> str | None:
    """Why the schema isn't ready for this code, or None: a readiness probe's answer."""
    found = await _read(database)
    if found is None:
        return "migrations have not run"
    if found.current < code_revision:
        return (
            f"migrations have not run: the database is at revision {found.current}, "
            f"and this code needs {code_revision}"
        )
    return None


async def _read(database: Database) -> Row[tuple[int, int]] | None:
    try:
        async with database.begin() as session:
            result = await session.execute(
                text("SELECT current, minimum_code FROM schema_revision")
            )
            return result.one()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:
            return None
        raise
