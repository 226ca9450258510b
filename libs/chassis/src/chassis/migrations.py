"""Running a service's migrations: `alembic upgrade` in this process, one at a time.

The revisions stand in the repository's folder `migrations`, or where `UBERTRUCK_MIGRATIONS_DIR`
says.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from chassis.settings import SECRETS_DIR

CONNECTION = "connection"
COMPARE = "compare"
_LOCK_POLL_SECONDS = 0.1


def migrations_folder() -> Path:
    """The folder with `alembic.ini`, `env.py` and a folder of revisions a service."""
    named = os.environ.get("UBERTRUCK_MIGRATIONS_DIR")
    return Path(named) if named else Path(__file__).parents[4] / "migrations"


def url_from_environment() -> str | None:
    """The address in `UBERTRUCK_DATABASE_URL`, or in its file in the folder of secrets."""
    url, folder = os.environ.get("UBERTRUCK_DATABASE_URL"), os.environ.get(SECRETS_DIR)
    if url or not folder:
        return url
    file = Path(folder) / "ubertruck_database_url"
    return file.read_text().strip() if file.exists() else None


def alembic_config(
    service: str,
    connection: Connection | None = None,
    *,
    compare: bool = False,
    output: TextIO = sys.stdout,
) -> Config:
    """The service's section of `alembic.ini`, over a connection that is open already.

    Without a connection it only serves to read the revisions. `compare` loads the service's models
    too, for commands that compare them with the database. Raises alembic's `CommandError` for a
    service without migrations.
    """
    path = migrations_folder() / "alembic.ini"
    config = Config(path, ini_section=service, stdout=output)
    if not config.file_config.has_section(service):
        raise CommandError(f"{path} has no section [{service}].")
    config.attributes[COMPARE] = compare
    if connection is not None:
        config.attributes[CONNECTION] = connection
    return config


async def upgrade(service: str, url: str, revision: str = "head") -> None:
    """Bring the database at `url` (of the migrator role) to `revision`.

    Several at once follow each other, and the later ones find nothing left to do.
    """

    def run(connection: Connection) -> None:
        command.upgrade(alembic_config(service, connection), revision)

    async with exclusive_connection(url) as connection:
        await connection.run_sync(run)


@asynccontextmanager
async def exclusive_connection(url: str) -> AsyncGenerator[AsyncConnection]:
    """A connection that holds the lock of migrations until it is closed."""
    target = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(target, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await _take_lock(connection)
            yield connection
    finally:
        await engine.dispose()


async def _take_lock(connection: AsyncConnection) -> None:
    # Asked again and again: a session that waits inside the database would keep a
    # CREATE INDEX CONCURRENTLY of the holder waiting for it in turn.
    statement = text("SELECT pg_try_advisory_lock(hashtext('migrations'))")
    while not await connection.scalar(statement):
        await connection.rollback()
        await asyncio.sleep(_LOCK_POLL_SECONDS)
    await connection.commit()
