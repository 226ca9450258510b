"""Makes all roles and databases and migrates them: `python -m ops.prepare STATE PORT`.

A process of its own, so that the supervisor needn't carry the libraries of migrations. When it
fails, its last line says why in one sentence.
"""

import asyncio
import sys
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import make_url

from chassis.migrations import alembic_config, upgrade
from chassis.provisioning import administrate, provision
from ops import database
from ops.services import DATABASES, Layout, roles_of
from ops.state import StateFolder


async def prepare(folder: StateFolder, port: int) -> None:
    """Bring every database, its roles and its tables up to date; twice is no error."""
    superuser = database.server_of(folder, port).superuser_url()
    passwords = Layout.of(folder, {}).credentials.database
    for name in DATABASES:
        migrator, runtime = roles_of(name)
        await provision(
            superuser,
            name,
            migrator_password=passwords[migrator],
            runtime_password=passwords[runtime],
        )
        # Code that is rolled back meets a schema that later code migrated, and may still be served
        # by it: the service itself looks.
        if not await _is_newer(superuser, name):
            url = make_url(superuser).set(
                database=name,
                username=migrator,
                password=passwords[migrator],
            )
            await upgrade(name, url.render_as_string(hide_password=False))


async def _is_newer(superuser: str, name: str) -> bool:
    """Whether the database stands at a revision that these migrations don't know."""
    async with administrate(superuser, database=name) as server:
        if not await server.scalar(text("SELECT to_regclass('alembic_version')::text")):
            return False
        revision = str(await server.scalar(text("SELECT version_num FROM alembic_version")))
    try:
        ScriptDirectory.from_config(alembic_config(name)).get_revision(revision)
    except CommandError:
        return True
    return False


if __name__ == "__main__":
    asyncio.run(prepare(StateFolder(Path(sys.argv[1])), int(sys.argv[2])))
