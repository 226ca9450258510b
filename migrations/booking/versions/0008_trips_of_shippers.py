"""Shippers read their trips, newest first."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.execute("CREATE INDEX ix_trips_shipper_newest ON trips (shipper_tenant_id, created_at, id)")
    set_schema_revision(op, current=8, minimum_code=1)
