"""A service's process `migrate`: bring its database to the newest revision there is, and end.

It logs in as the migrator role, which owns the tables; no other process of the service may.
"""

import logging

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis.db import Database, DatabaseUnavailable
from chassis.db_refusals import raise_refusal
from chassis.migrations import alembic_config, upgrade
from chassis.schema import check_serves
from chassis.settings import ServiceSettings

logger = logging.getLogger(__name__)


class CannotMigrate(Exception):
    """What stands in the way, as one sentence. Another try may find it gone."""


async def migrate(settings: ServiceSettings, name: str, code_revision: int) -> None:
    """Run what is missing of the migrations called `name`.

    A database that later code migrated is left alone, if it still serves this code: what is rolled
    back must start. Raises `SchemaError` if it doesn't, `DatabaseRefusal` for a wrong address, and
    `CannotMigrate`.
    """
    url = settings.database_url.get_secret_value()
    try:
        if await _is_later(url, name, code_revision):
            logger.info("the database is at a later revision already")
            return
        await upgrade(name, url)
    except DatabaseUnavailable as error:
        raise_refusal(error)
        raise CannotMigrate("The database can't be reached.") from error
    except (OSError, PostgresError, DBAPIError) as error:
        raise CannotMigrate(f"The migration failed: {_first_line(error)}") from error
    logger.info("migrated")


async def _is_later(url: str, name: str, code_revision: int) -> bool:
    """Whether the database stands at a revision that isn't among ours."""
    database = Database.connect(url, name="migrate", pool_size=1)
    try:
        await check_serves(database, code_revision)
        async with database.begin() as session:
            if not await session.scalar(text("SELECT to_regclass('alembic_version')::text")):
                return False
            revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
    finally:
        await database.dispose()
    try:
        ScriptDirectory.from_config(alembic_config(name)).get_revision(revision)
    except CommandError:
        return True
    return False


def _first_line(error: BaseException) -> str:
    said = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(said).strip().partition("\n")[0] or type(said).__name__
