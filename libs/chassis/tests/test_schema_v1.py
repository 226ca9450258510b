from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.audit import audit_log_table, audit_seals_table
from chassis.events import outbox_table
from chassis.idempotency import idempotency_records
from chassis.provisioning import administrate
from chassis.testing.databases import TestDatabase

EVENT = (
    "INSERT INTO outbox (id, type, source, subject, aggregate_version, data, occurred_at,"
    " created_on, published_at) VALUES (gen_random_uuid(), 't', 's', 'x', 1, '{}', now(),"
    " (now() AT TIME ZONE 'utc')::date + $1::int, $2)"
)
AUDIT = (
    "INSERT INTO audit_log (id, actor, action, target, outcome)"
    " VALUES (gen_random_uuid(), 'a', 'b', 'c', 'allowed')"
)
RECORD = (
    "INSERT INTO idempotency_records (tenant_id, principal, route, key, fingerprint, status, body)"
    " VALUES (gen_random_uuid(), 'p', 'r', $1, $2, 200, '')"
)


@pytest.fixture
async def migrator(database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    async with administrate(database.migrator_url) as connection:
        yield connection


async def refusal(connection: AsyncConnection, statement: str) -> str:
    with pytest.raises(DBAPIError) as refused:
        await connection.exec_driver_sql(statement)
    return str(getattr(refused.value.orig, "sqlstate", ""))


class TestGrants:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_log SET actor = 'x'",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
            "UPDATE audit_seals SET seq = 2",
            "DELETE FROM audit_seals",
            "UPDATE outbox SET data = '{}'",
            "DELETE FROM outbox",
            "UPDATE idempotency_records SET body = ''",
            "DELETE FROM idempotency_records",
            "INSERT INTO partitioned_tables VALUES ('audit_log', 1)",
            "UPDATE partitioned_tables SET keep_days = 1",
            "UPDATE schema_revision SET current = 9",
            "DROP TABLE outbox",
            "ALTER FUNCTION maintain_partitions SET search_path = pg_temp",
        ],
    )
    async def test_the_runtime_role_may_not(
        self, rollback_connection: AsyncConnection, statement: str
    ) -> None:
        assert await refusal(rollback_connection, statement) == "42501"

    async def test_waiting_events_can_be_claimed(
        self, rollback_connection: AsyncConnection
    ) -> None:
        await rollback_connection.exec_driver_sql(EVENT, (0, None))
        await rollback_connection.exec_driver_sql(
            "SELECT id FROM outbox WHERE published_at IS NULL FOR UPDATE SKIP LOCKED"
        )


class TestConstraints:
    @pytest.mark.parametrize(
        ("key", "fingerprint"), [("", 32), ("k" * 256, 32), ("k", 31), ("k", 33)]
    )
    async def test_keys_and_fingerprints_have_their_length(
        self, rollback_connection: AsyncConnection, key: str, fingerprint: int
    ) -> None:
        with pytest.raises(IntegrityError):
            await rollback_connection.exec_driver_sql(RECORD, (key, b"f" * fingerprint))

    @pytest.mark.parametrize(
        "statement",
        [
            AUDIT.replace("allowed", "perhaps"),
            EVENT.replace("'x', 1,", "'x', 0,").replace("$1::int", "0").replace("$2", "NULL"),
            "INSERT INTO audit_seals SELECT 1, gen_random_uuid(), sha256(''), sha256('')",
        ],
    )
    async def test_nonsense_is_refused(
        self, rollback_connection: AsyncConnection, statement: str
    ) -> None:
        with pytest.raises(IntegrityError):
            await rollback_connection.exec_driver_sql(statement)

    @pytest.mark.parametrize(
        "change", ["minimum_code = 2", "minimum_code = 0", "current = 0", "only_row = false"]
    )
    async def test_schema_revision_is_one_sensible_row(
        self, migrator: AsyncConnection, change: str
    ) -> None:
        with pytest.raises(IntegrityError):
            await migrator.exec_driver_sql("UPDATE schema_revision SET " + change)  # noqa: S608 - ours
        with pytest.raises(IntegrityError):
            await migrator.exec_driver_sql("INSERT INTO schema_revision VALUES (true, 1, 1)")

    async def test_a_row_is_sealed_once(self, rollback_connection: AsyncConnection) -> None:
        await rollback_connection.exec_driver_sql(AUDIT)
        seal = "INSERT INTO audit_seals SELECT {}, id, sha256(''), sha256('') FROM audit_log"
        await rollback_connection.exec_driver_sql(seal.format(1))
        with pytest.raises(IntegrityError):
            await rollback_connection.exec_driver_sql(seal.format(2))


async def test_declared_tables_are_the_made_ones(rollback_connection: AsyncConnection) -> None:
    """What chassis declares for its statements has the columns that the migration makes."""
    metadata = MetaData()
    idempotency_records.to_metadata(metadata)
    for declare in (outbox_table, audit_log_table, audit_seals_table):
        declare(metadata)

    def declared(_item: object, name: str, kind: str, _reflected: bool, _other: object) -> bool:
        return kind == "column" or (kind == "table" and name in metadata.tables)

    def compare(connection: Connection) -> list[Any]:
        options: dict[str, object] = {"compare_type": True, "include_object": declared}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await rollback_connection.run_sync(compare) == []
