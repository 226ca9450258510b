import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from chassis import schema_v1, schema_v2, schema_v3
from chassis.embedded import EmbeddedPostgres
from chassis.migrations import exclusive_connection
from chassis.testing.databases import Recipe, TestDatabase, TestServer, digest_of
from chassis.testing.servers import make_folder

from .migrating import Sample

SERVICE = "chassis"
RUNTIME_ROLE = "chassis_runtime"


@pytest.fixture(scope="session")
def service_name() -> str:
    return SERVICE


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """A database with what chassis gives to every service, and nothing else."""

    def create(connection: Connection) -> None:
        op = Operations(MigrationContext.configure(connection))
        schema_v1.create_schema_revision(op, RUNTIME_ROLE)
        schema_v1.create_partition_upkeep(op, RUNTIME_ROLE)
        schema_v1.create_idempotency(op, RUNTIME_ROLE)
        schema_v1.create_outbox(op, RUNTIME_ROLE)
        schema_v1.create_audit(op, RUNTIME_ROLE)
        schema_v1.create_audit_seals(op, RUNTIME_ROLE)
        schema_v2.pass_statistics_on(op, RUNTIME_ROLE)
        for table, columns in schema_v2.NEVER_SEARCHED.items():
            schema_v2.keep_statistics_lean(op, table, columns)
        schema_v3.create_inbox(op, RUNTIME_ROLE)
        schema_v3.create_dead_letters(op, RUNTIME_ROLE)
        schema_v3.create_worker_lease(op, RUNTIME_ROLE)
        connection.commit()

    async def migrate(url: str) -> None:
        async with exclusive_connection(url) as connection:
            await connection.run_sync(create)

    return Recipe(SERVICE, digest_of([]), migrate)


@pytest.fixture(scope="session")
def scram_server() -> Iterator[EmbeddedPostgres]:
    """A server as on a laptop: durable, and asking for passwords."""
    folder = make_folder()
    server = EmbeddedPostgres(folder / "data")
    server.initialise()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = make_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def data_dir(folder: Path, pristine_cluster: Path) -> Path:
    return Path(shutil.copytree(pristine_cluster, folder / "data"))


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sample]:
    made = Sample(tmp_path)
    monkeypatch.setenv("UBERTRUCK_MIGRATIONS_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(made.models.parents[1]), *sys.path])
    yield made
    for name in ("sample_service", "sample_service.models"):
        sys.modules.pop(name, None)


@pytest.fixture
def empty(test_server: TestServer) -> Iterator[TestDatabase]:
    """A database of the service `sample`, without tables."""

    async def nothing(_url: str) -> None:
        pass

    template = test_server.ensure_template(Recipe("sample", "empty", nothing))
    with test_server.cloned(template, "sample") as cloned:
        yield cloned
