import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from chassis.embedded import EmbeddedPostgres
from chassis.provisioning import administrate, provision, roles_of, scram_verifier


@pytest.fixture
def service() -> str:
    return f"p{uuid4().hex[:8]}"


def url_of(server: EmbeddedPostgres, service: str, role: str, password: str) -> str:
    url = make_url(server.superuser_url(service)).set(username=role, password=password)
    return url.render_as_string(hide_password=False)


async def who(url: str) -> str:
    async with administrate(url) as connection:
        return str(await connection.scalar(text("SELECT current_user")))


async def refusal(url: str, statement: str) -> str:
    """The SQLSTATE with which Postgres refuses."""
    async with administrate(url) as connection:
        with pytest.raises(DBAPIError) as refused:
            await connection.exec_driver_sql(statement)
    return str(getattr(refused.value.orig, "sqlstate", ""))


async def test_twice_changes_only_the_passwords(
    scram_server: EmbeddedPostgres, service: str
) -> None:
    superuser, roles = scram_server.superuser_url(), roles_of(service)
    await provision(superuser, service, migrator_password="a b'c", runtime_password="r1")
    assert await who(url_of(scram_server, service, roles.migrator, "a b'c")) == roles.migrator
    await provision(superuser, service, migrator_password="m2", runtime_password="r2")
    assert await who(url_of(scram_server, service, roles.runtime, "r2")) == roles.runtime
    with pytest.raises(Exception, match="password authentication failed"):
        await who(url_of(scram_server, service, roles.runtime, "r1"))


async def test_several_at_once(scram_server: EmbeddedPostgres, service: str) -> None:
    url = scram_server.superuser_url()
    await asyncio.gather(
        *(provision(url, service, migrator_password="m", runtime_password="r") for _ in range(4))
    )
    assert await who(url_of(scram_server, service, f"{service}_runtime", "r"))


async def test_roles_get_no_more_than_they_need(
    scram_server: EmbeddedPostgres, service: str
) -> None:
    superuser, roles = scram_server.superuser_url(), roles_of(service)
    other = f"{service}x"
    await provision(superuser, service, migrator_password="m", runtime_password="r")
    await provision(superuser, other, migrator_password="m", runtime_password="r")
    migrator = url_of(scram_server, service, roles.migrator, "m")
    runtime = url_of(scram_server, service, roles.runtime, "r")
    async with administrate(migrator) as connection:
        await connection.exec_driver_sql("CREATE TABLE t (id int)")
        await connection.exec_driver_sql(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    for statement in (
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "SELECT * FROM t",
        "SELECT f()",
        "DROP TABLE t",
        "CREATE ROLE other",
    ):
        assert await refusal(runtime, statement) == "42501", statement
    assert await refusal(migrator, "CREATE DATABASE other") == "42501"
    with pytest.raises(Exception, match="permission denied for database"):
        await who(url_of(scram_server, other, roles.runtime, "r"))


async def test_a_managed_servers_administrator_suffices(
    scram_server: EmbeddedPostgres, service: str
) -> None:
    admin = f"{service}_admin"
    async with administrate(scram_server.superuser_url()) as connection:
        await connection.exec_driver_sql(
            f"CREATE ROLE {admin} LOGIN CREATEROLE CREATEDB PASSWORD 'a'"
        )
    url = url_of(scram_server, "postgres", admin, "a")
    for _ in range(2):
        await provision(url, service, migrator_password="m", runtime_password="r")
    assert await who(url_of(scram_server, service, f"{service}_migrator", "m"))


@pytest.mark.parametrize("password", ["", "häßlich", "new\nline"])
def test_passwords_are_printable_ascii(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        scram_verifier(password)
