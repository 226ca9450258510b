"""Databases of their own for what is measured beside Ubertruck, so that rows are counted apart."""

from collections.abc import Mapping

from sqlalchemy.engine import make_url

from chassis.migrations import upgrade
from chassis.provisioning import provision, roles_of

SERVICE = "booking"


async def prepare_database(superuser_url: str, *, name: str, passwords: Mapping[str, str]) -> str:
    """Make the database `name` by booking's migrations; twice is no error, and keeps the rows.

    `passwords` holds those of booking's two roles, by role, as the platform knows them: the roles
    are the server's, so others' would lock booking out. Returns `postgresql+asyncpg://…` of the
    runtime role.
    """
    roles = roles_of(SERVICE)
    await provision(
        superuser_url,
        SERVICE,
        migrator_password=passwords[roles.migrator],
        runtime_password=passwords[roles.runtime],
        database=name,
    )
    await upgrade(SERVICE, _url(superuser_url, name, roles.migrator, passwords))
    return _url(superuser_url, name, roles.runtime, passwords)


def _url(superuser_url: str, name: str, role: str, passwords: Mapping[str, str]) -> str:
    url = make_url(superuser_url).set(
        drivername="postgresql+asyncpg", database=name, username=role, password=passwords[role]
    )
    return url.render_as_string(hide_password=False)
