"""Roles and database of one service.

`<service>_migrator` owns the database and its tables; `<service>_runtime` may connect, and gets
from each migration exactly what the running code needs.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import NullPool
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

_ITERATIONS = 4096


@dataclass(frozen=True)
class Roles:
    """The two roles of a service."""

    migrator: str
    runtime: str


def roles_of(service: str) -> Roles:
    """The role names of a service; `service` is also the name of its database."""
    return Roles(migrator=f"{service}_migrator", runtime=f"{service}_runtime")


async def provision(
    superuser_url: str,
    service: str,
    *,
    migrator_password: str,
    runtime_password: str,
    database: str | None = None,
) -> None:
    """Make a service's roles and database, or bring them up to date: twice is no error.

    `superuser_url` may also be of a role with CREATEROLE and CREATEDB, as managed servers give.
    `database` is the service's name unless told otherwise. Passwords are printable ASCII.
    """
    roles, name = roles_of(service), database or service
    async with administrate(superuser_url) as server:
        # Two at once would both find nothing and both create.
        await server.exec_driver_sql("SELECT pg_advisory_lock(hashtext('provision'))")
        await _ensure_role(server, roles.migrator, migrator_password)
        await _ensure_role(server, roles.runtime, runtime_password)
        await _join_role(server, roles.migrator)
        await _ensure_database(server, name, roles)
        async with administrate(superuser_url, database=name) as inside:
            await _harden(inside, roles)


@asynccontextmanager
async def administrate(url: str, *, database: str | None = None) -> AsyncGenerator[AsyncConnection]:
    """A connection without transactions, to another database of the same server if told so."""
    target = make_url(url).set(drivername="postgresql+asyncpg")
    if database is not None:
        target = target.set(database=database)
    engine = create_async_engine(target, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def restrict_database(server: AsyncConnection, name: str, roles: Roles) -> None:
    """Only this service's roles may enter the database."""
    await server.exec_driver_sql(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await server.exec_driver_sql(f'GRANT CONNECT ON DATABASE "{name}" TO "{roles.runtime}"')


async def _ensure_role(server: AsyncConnection, role: str, password: str) -> None:
    found = await server.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = $1", (role,))
    verb = "CREATE" if found.first() is None else "ALTER"
    verifier = scram_verifier(password)
    await server.exec_driver_sql(f"{verb} ROLE \"{role}\" LOGIN PASSWORD '{verifier}'")


async def _join_role(server: AsyncConnection, role: str) -> None:
    # A role that isn't superuser must be a member to make a database in the migrator's name.
    found = await server.exec_driver_sql(
        "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    if not found.scalar_one():
        await server.exec_driver_sql(f'GRANT "{role}" TO CURRENT_USER')


async def _ensure_database(server: AsyncConnection, name: str, roles: Roles) -> None:
    found = await server.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = $1", (name,))
    if found.first() is None:
        await server.exec_driver_sql(f'CREATE DATABASE "{name}" OWNER "{roles.migrator}"')
    await server.exec_driver_sql(f'ALTER DATABASE "{name}" OWNER TO "{roles.migrator}"')
    await restrict_database(server, name, roles)


async def _harden(inside: AsyncConnection, roles: Roles) -> None:
    await inside.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    await inside.exec_driver_sql(
        f'ALTER DEFAULT PRIVILEGES FOR ROLE "{roles.migrator}" '
        "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    )


def scram_verifier(password: str) -> str:
    """What Postgres stores for a password (RFC 5803), so that it never sees the password itself.

    Raises ValueError unless the password is printable ASCII: others would need SASLprep.
    """
    if not password or not password.isascii() or not password.isprintable():
        raise ValueError("A database password is printable ASCII and not empty.")
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *encoded)
