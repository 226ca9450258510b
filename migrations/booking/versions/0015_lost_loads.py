"""Loads of which nothing was handed over."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0015"
down_revision = "0014"

RUNTIME = "booking_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE trips
            ADD COLUMN lost_at timestamptz,
            ADD CONSTRAINT ck_trips_lost_at
                CHECK (lost_at IS NULL OR status IN ('delivered', 'closed')) NOT VALID
        """
    )
    op.execute("ALTER TABLE trips VALIDATE CONSTRAINT ck_trips_lost_at")
    op.execute(f"GRANT UPDATE (lost_at) ON trips TO {RUNTIME}")
    set_schema_revision(op, current=15, minimum_code=1)
