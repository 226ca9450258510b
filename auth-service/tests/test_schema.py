"""What the database refuses whatever the code does."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from auth_service.models.directory import STATUSES
from auth_service.models.sessions import END_REASONS, PURPOSES
from chassis.testing.databases import TestDatabase
from contracts.permissions import TENANT_KINDS, roles_of

from .world import World

PEOPLE = """
INSERT INTO tenants
    VALUES (gen_random_uuid(), 'A', 'shipper', 'active', 1, now(), now());
INSERT INTO users
    SELECT gen_random_uuid(), id, kind, 'asha', '$argon2id$x', now(), ARRAY['shipper'], 'active',
        NULL, 1, now(), now() FROM tenants;
INSERT INTO sessions
    SELECT gen_random_uuid(), id, NULL, sha256('c'), false, now(), now() + interval '1 day',
        NULL, NULL FROM users;
INSERT INTO refresh_tokens
    SELECT gen_random_uuid(), id, NULL, sha256('t'), now(), NULL, NULL FROM sessions;
INSERT INTO totp_credentials
    SELECT gen_random_uuid(), id, 'x', 1, now(), now() FROM users;
"""


@pytest.fixture
async def owner(shared_database: TestDatabase) -> AsyncGenerator[AsyncConnection]:
    """A connection of the tables' owner, with a user and a session; rolled back."""
    engine = create_async_engine(shared_database.migrator_url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.begin()
        for statement in filter(str.strip, PEOPLE.split(";")):
            await connection.execute(text(statement))
        yield connection
        await connection.rollback()
    await engine.dispose()


REFUSED = [
    ("ck_users_username", "UPDATE users SET username = 'Asha'"),
    ("ck_users_password_hash", "UPDATE users SET password_hash = 'plain'"),
    ("ck_users_some_role", "UPDATE users SET roles = '{}'"),
    ("ck_users_fitting_roles", "UPDATE users SET roles = '{super_admin}'"),
    ("ck_users_fitting_roles", "UPDATE users SET roles = '{shipper,unknown}'"),
    ("ck_users_status", "UPDATE users SET status = 'deleted'"),
    ("ck_users_version", "UPDATE users SET version = 0"),
    (
        "fk_users_tenant",
        "UPDATE users SET tenant_kind = 'platform', roles = '{super_admin}'",
    ),
    ("ck_tenants_kind", "UPDATE tenants SET kind = 'bank'"),
    ("ck_tenants_name", "UPDATE tenants SET name = ''"),
    ("ck_tenants_status", "UPDATE tenants SET status = 'gone'"),
    (
        "uq_tenants_name",
        "INSERT INTO tenants VALUES (gen_random_uuid(), 'a', 'fleet', 'active', 1, now(), now())",
    ),
    ("ck_sessions_end", "UPDATE sessions SET ended_at = now()"),
    ("ck_sessions_end_reason", "UPDATE sessions SET ended_at = now(), end_reason = 'boredom'"),
    ("ck_sessions_expires_at", "UPDATE sessions SET expires_at = created_at"),
    ("ck_sessions_client", "UPDATE sessions SET client = 'short'"),
    (
        "uq_refresh_tokens_first",
        "INSERT INTO refresh_tokens SELECT gen_random_uuid(), id, NULL, sha256('u'), now(), NULL,"
        " NULL FROM sessions",
    ),
    (
        "uq_refresh_tokens_parent_id",
        "INSERT INTO refresh_tokens SELECT gen_random_uuid(), session_id, id,"
        " sha256(n::text::bytea), now(), NULL, NULL"
        " FROM refresh_tokens, generate_series(1, 2) AS n",
    ),
    ("ck_refresh_tokens_used", "UPDATE refresh_tokens SET used_at = now()"),
    (
        "ck_login_challenges_short_life",
        "INSERT INTO login_challenges SELECT gen_random_uuid(), sha256('x'), id, 'second-factor',"
        " 0, now(), now() + interval '301 seconds', NULL FROM users",
    ),
    (
        "ck_login_challenges_attempts",
        "INSERT INTO login_challenges SELECT gen_random_uuid(), sha256('x'), id, 'second-factor',"
        " 6, now(), now(), NULL FROM users",
    ),
    (
        "uq_totp_credentials_confirmed",
        "INSERT INTO totp_credentials SELECT gen_random_uuid(), id, 'y', 2, now(), now()"
        " FROM users",
    ),
    ("ck_totp_credentials_last_step", "UPDATE totp_credentials SET last_step = NULL"),
    (
        "ck_service_clients_roles",
        "INSERT INTO service_clients SELECT gen_random_uuid(), 'booking', id, sha256('s'),"
        " '{super_admin}', 'active', now(), now() FROM tenants",
    ),
    (
        "ck_signing_keys_sealed_private",
        "INSERT INTO signing_keys VALUES ('k', NULL, '{}', now(), now(), NULL)",
    ),
    (
        "ck_throttles_failures",
        "INSERT INTO throttles VALUES ('account', sha256('a'), -1, now(), now())",
    ),
]


async def test_constraints(owner: AsyncConnection) -> None:
    for constraint, statement in REFUSED:
        with pytest.raises(IntegrityError, match=constraint):
            async with owner.begin_nested():
                await owner.exec_driver_sql(statement)


async def test_the_database_knows_the_same_words_as_the_code(owner: AsyncConnection) -> None:
    for constraint, values in (
        ("ck_tenants_kind", TENANT_KINDS),
        ("ck_tenants_status", STATUSES),
        ("ck_users_status", STATUSES),
        ("ck_service_clients_status", STATUSES),
        ("ck_login_challenges_purpose", PURPOSES),
        ("ck_sessions_end_reason", END_REASONS),
    ):
        assert words_of(await definition(owner, constraint)) == set(values)


async def test_the_database_knows_the_roles_of_each_kind_of_tenant(owner: AsyncConnection) -> None:
    parts = (await definition(owner, "ck_users_fitting_roles")).split(" OR ")
    known = {
        kind: words_of(part.partition("<@")[2])
        for kind, part in zip(TENANT_KINDS, parts, strict=True)
    }
    assert known == {kind: set(roles_of(kind)) for kind in TENANT_KINDS}


FORBIDDEN = [
    "DELETE FROM users",
    "DELETE FROM tenants",
    "DELETE FROM audit_log",
    "UPDATE audit_log SET actor = 'me'",
    "UPDATE users SET username = 'other'",
    "UPDATE users SET tenant_id = gen_random_uuid()",
    "UPDATE tenants SET kind = 'platform'",
    "UPDATE sessions SET user_id = gen_random_uuid()",
    "UPDATE totp_credentials SET sealed_secret = 'x'",
    "UPDATE signing_keys SET public_jwk = '{}'",
    "DROP TABLE users",
]


async def test_what_the_runtime_role_may_not(world: World) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            async with world.realm.database.begin() as tx:
                await (await tx.connection()).exec_driver_sql(statement)


def words_of(definition: str) -> set[str]:
    return set(definition.split("'")[1::2])


async def definition(owner: AsyncConnection, constraint: str) -> str:
    statement = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1"
    found: Any = (await owner.exec_driver_sql(statement, (constraint,))).scalar_one()
    return str(found)
