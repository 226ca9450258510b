"""By what pace a trip is judged, and what was told of as late."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0011"
down_revision = "0010"

RUNTIME = "booking_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE trips
            ADD COLUMN km_per_day int,
            ADD COLUMN eway_bill_at_risk boolean NOT NULL DEFAULT false,
            ADD COLUMN deadline_at_risk boolean NOT NULL DEFAULT false,
            ADD CONSTRAINT ck_trips_km_per_day CHECK (km_per_day > 0)
        """
    )
    op.execute(
        f"GRANT UPDATE (km_per_day, eway_bill_at_risk, deadline_at_risk) ON trips TO {RUNTIME}"
    )
    set_schema_revision(op, current=11, minimum_code=1)
