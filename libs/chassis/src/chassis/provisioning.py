"""Roles and database of one service.

`<service>_migrator` owns the database and its tables; `<service>_runtime` may connect, and gets
from each migration exactly what the running code needs.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

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
    connection = await connect(superuser_url)
    try:
        # Two at once would both find nothing and both create.
        await connection.execute("SELECT pg_advisory_lock(hashtext('provision'))")
        await _ensure_role(connection, roles.migrator, migrator_password)
        await _ensure_role(connection, roles.runtime, runtime_password)
        await _join_role(connection, roles.migrator)
        await _ensure_database(connection, name, roles)
    finally:
        await connection.close()
    await _harden(superuser_url, name, roles)


async def connect(url: str, *, database: str | None = None) -> "asyncpg.Connection[asyncpg.Record]":
    """A bare connection by a URL of any dialect, to another database of the server if told so."""
    parts = make_url(url).set(drivername="postgresql")
    if database is not None:
        parts = parts.set(database=database)
    return await asyncpg.connect(parts.render_as_string(hide_password=False))


async def restrict_database(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, roles: Roles
) -> None:
    """Only this service's roles may enter the database."""
    await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{roles.runtime}"')


async def _ensure_role(
    connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str
) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await connection.execute(f"{verb} ROLE \"{role}\" LOGIN PASSWORD '{scram_verifier(password)}'")


async def _join_role(connection: "asyncpg.Connection[asyncpg.Record]", role: str) -> None:
    # A role that isn't superuser must be a member to make a database in the migrator's name.
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute(f'GRANT "{role}" TO CURRENT_USER')


async def _ensure_database(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, roles: Roles
) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f'CREATE DATABASE "{name}" OWNER "{roles.migrator}"')
    await connection.execute(f'ALTER DATABASE "{name}" OWNER TO "{roles.migrator}"')
    await restrict_database(connection, name, roles)


async def _harden(superuser_url: str, name: str, roles: Roles) -> None:
    connection = await connect(superuser_url, database=name)
    try:
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        await connection.execute(
            f'ALTER DEFAULT PRIVILEGES FOR ROLE "{roles.migrator}" '
            "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
        )
    finally:
        await connection.close()


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
