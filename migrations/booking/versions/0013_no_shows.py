"""Trips whose truck never came are found by when it was to be at the pickup."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.execute(
        "CREATE INDEX ix_trips_not_come ON trips (lower(planned))"
        " WHERE status IN ('assigned', 'accepted')"
    )
    set_schema_revision(op, current=13, minimum_code=1)
