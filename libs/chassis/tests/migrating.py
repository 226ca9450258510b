"""A made-up service with migrations of its own, by the project's `env.py` and template."""

from pathlib import Path
from shutil import copy

from sqlalchemy import text

from chassis.migrations import migrations_folder
from chassis.provisioning import administrate
from chassis.testing.databases import TestDatabase

MODELS = """
from datetime import date
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from chassis.db import new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()


class Truck(Base):
    __tablename__ = "truck"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wheels: Mapped[int] = mapped_column(server_default=text("6"))


class Position(Base):
    __tablename__ = "position"
    __table_args__ = {"postgresql_partition_by": "RANGE (on_day)"}
    on_day: Mapped[date] = mapped_column(primary_key=True)
"""
FIRST = """
from alembic import op
from chassis import schema_v1

revision = "0001"
down_revision = None


def upgrade():
    schema_v1.create_schema_revision(op, "sample_runtime")
    schema_v1.create_partition_upkeep(op, "sample_runtime")
    schema_v1.create_idempotency(op, "sample_runtime")
    schema_v1.create_outbox(op, "sample_runtime")
    schema_v1.create_audit(op, "sample_runtime")
    schema_v1.create_audit_seals(op, "sample_runtime")
    op.execute("CREATE TABLE truck (id int CONSTRAINT pk_truck PRIMARY KEY,"
               " wheels int NOT NULL DEFAULT 6)")
    op.execute("CREATE TABLE position (on_day date CONSTRAINT pk_position PRIMARY KEY)"
               " PARTITION BY RANGE (on_day)")
    schema_v1.register_partitioned(op, "position", keep_days=3)
"""
SECOND = """
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_truck_wheels ON truck (wheels)")


def downgrade():
    op.execute("DROP INDEX ix_truck_wheels")
"""
REVERSIBLE = """
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE truck (id int CONSTRAINT pk_truck PRIMARY KEY,"
               " wheels int NOT NULL DEFAULT 6)")
    op.execute("CREATE TABLE position (on_day date CONSTRAINT pk_position PRIMARY KEY)"
               " PARTITION BY RANGE (on_day)")


def downgrade():
    op.execute("DROP TABLE truck, position")
"""


class Sample:
    """A service called `sample`: a folder of migrations and a package of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = folder / "sample" / "versions"
        self.models = folder / "packages" / "sample_service" / "models.py"
        self.versions.mkdir(parents=True)
        self.models.parent.mkdir(parents=True)
        (self.models.parent / "__init__.py").touch()
        self.models.write_text(MODELS)
        for name in ("env.py", "script.py.mako"):
            copy(migrations_folder() / name, folder / name)
        ini = (migrations_folder() / "alembic.ini").read_text()
        section = (
            "[sample]\nversion_locations = %(here)s/sample/versions\npackage = sample_service\n"
        )
        (folder / "alembic.ini").write_text(f"{ini}\n{section}")

    def write(self, name: str, source: str) -> None:
        (self.versions / f"{name}.py").write_text(source)

    def command(self, *arguments: str) -> list[str]:
        return ["-c", str(self.folder / "alembic.ini"), "-n", "sample", *arguments]


async def tables(database: TestDatabase) -> set[str]:
    async with administrate(database.superuser_url) as connection:
        return set(await connection.scalars(text("SELECT tablename FROM pg_tables")))
