"""Roles and databases of a composed platform, and the tables of the bus.

Each service's own tables are made by its image, as `migrate`.
"""

from asyncpg import PostgresError

from chassis.migrations import upgrade
from chassis.postgres_bus import PostgresBus
from chassis.provisioning import provision
from ops.compose import layout, payment
from ops.compose.secrets import credentials
from ops.errors import OpsError
from ops.services import BUS, DATABASES, roles_of
from ops.state import StateFolder


async def make(folder: StateFolder) -> None:
    """Make or mend them; twice is no error. OpsError says what the server refuses."""
    passwords = credentials(folder).database
    superuser = layout.database_url(layout.SUPERUSER, passwords[layout.SUPERUSER], layout.SUPERUSER)
    try:
        for name in DATABASES:
            migrator, runtime = roles_of(name)
            await provision(
                superuser,
                name,
                migrator_password=passwords[migrator],
                runtime_password=passwords[runtime],
            )
        migrator, runtime = roles_of(BUS)
        await upgrade(BUS, layout.database_url(migrator, passwords[migrator], BUS))
    except (OSError, PostgresError) as error:
        raise OpsError(f"Postgres can't be prepared: {error}") from error
    # Before anybody publishes what it waits for.
    async with PostgresBus.connect(
        layout.database_url(runtime, passwords[runtime], BUS), name="compose"
    ) as bus:
        await payment.declare(bus)
