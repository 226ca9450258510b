"""Whom a fleet's trips hold now, for the search of a free driver."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0014"
down_revision = "0013"

HOLDING = "status IN ('assigned', 'accepted', 'at_pickup', 'loaded', 'in_transit', 'at_drop')"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.execute(f"CREATE INDEX ix_trips_held ON trips (tenant_id) WHERE {HOLDING}")
    set_schema_revision(op, current=14, minimum_code=1)
