"""The environment of every service's migrations; the section of `alembic.ini` says which service.

A service's tables are compared with `<package>.models.Base.metadata`. Left out of the comparison
are partitions, which come and go by the day, and the tables of `chassis.schema_v1` and later ones,
which are the same in every service: libs/chassis/tests compares those once with the tables that
chassis declares.
"""

import asyncio
import importlib
import logging
import pkgutil
from typing import cast

from alembic import context
from alembic.migration import MigrationContext
from alembic.operations import MigrationScript
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from asyncpg import PostgresError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.schema import SchemaItem

from chassis import schema_v1, schema_v3
from chassis.migrations import COMPARE, CONNECTION, exclusive_connection, url_from_environment

config = context.config
TABLES = schema_v1.TABLES | schema_v3.TABLES


def find_metadata() -> MetaData | None:
    """The service's tables.

    None where there are no models, and for commands that don't compare, which so start much faster.
    """
    options = config.cmd_opts
    named = "" if options is None else options.cmd[0].__name__
    if not config.attributes.get(COMPARE) and named not in ("check", "revision"):
        return None
    name = config.get_main_option("package")
    if name is None:
        return None
    package = importlib.import_module(name)
    # A part of a service that has tables has them in a `models` of its own.
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if module.name.endswith(".models"):
            importlib.import_module(module.name)
    return cast(MetaData, importlib.import_module(f"{name}.models").Base.metadata)


def find_url() -> str:
    """From `-x url=…` or the environment."""
    url = context.get_x_argument(as_dictionary=True).get("url") or url_from_environment()
    if not url:
        raise CommandError("Say which database: set UBERTRUCK_DATABASE_URL or pass -x url=….")
    return url


def is_ours(
    _item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: SchemaItem | None
) -> bool:
    """Whether a table is the service's own."""
    return kind != "table" or name not in TABLES


def number_revision(
    migrations: MigrationContext, _revision: object, scripts: list[MigrationScript]
) -> None:
    """Revisions are numbered in order: 0001, 0002."""
    head = ScriptDirectory.from_config(config).get_current_head()
    for script in scripts:
        script.rev_id = f"{int(head or 0) + 1:04d}"


def migrate(connection: Connection) -> None:
    """Run alembic's command on this connection."""
    query = text("SELECT relname FROM pg_class WHERE relispartition")
    partitions = set(connection.scalars(query))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=find_metadata(),
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        include_name=lambda name, kind, _parents: kind != "table" or name not in partitions,
        include_object=is_ours,
        process_revision_directives=number_revision,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """For the command line, which brings no connection."""
    try:
        async with exclusive_connection(find_url()) as connection:
            await connection.run_sync(migrate)
    except (OSError, PostgresError) as error:
        raise CommandError(f"The database can't be reached: {error}") from error


if context.is_offline_mode():
    raise CommandError("Migrations run against a database; --sql isn't supported.")
if CONNECTION in config.attributes:
    migrate(config.attributes[CONNECTION])
else:
    logging.basicConfig(format="%(levelname)s %(message)s")
    logging.getLogger("alembic.runtime").setLevel(logging.INFO)
    asyncio.run(connect_and_migrate())
