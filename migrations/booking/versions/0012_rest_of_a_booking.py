"""The part of a booking that was given up, since no truck was found for it in time."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0012"
down_revision = "0011"

RUNTIME = "booking_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE booking_coverage
            ADD COLUMN given_up_mt numeric(7, 3) NOT NULL DEFAULT 0,
            DROP CONSTRAINT ck_booking_coverage_covered_mt,
            ADD CONSTRAINT ck_booking_coverage_covered_mt CHECK (covered_mt >= 0
                AND given_up_mt >= 0 AND covered_mt + given_up_mt <= quantity_mt) NOT VALID
        """
    )
    op.execute("ALTER TABLE booking_coverage VALIDATE CONSTRAINT ck_booking_coverage_covered_mt")
    op.execute(f"GRANT UPDATE (given_up_mt) ON booking_coverage TO {RUNTIME}")
    set_schema_revision(op, current=12, minimum_code=1)
