"""Which truck the e-way bill of a trip names: another one may carry on."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0009"
down_revision = "0008"

RUNTIME = "booking_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE trips
            ADD COLUMN eway_bill_truck_id uuid,
            ADD CONSTRAINT fk_trips_eway_bill_truck FOREIGN KEY (eway_bill_truck_id, tenant_id)
                REFERENCES trucks (id, tenant_id),
            ADD CONSTRAINT ck_trips_eway_bill_truck CHECK
                (eway_bill_truck_id IS NULL OR eway_bill_number IS NOT NULL)
        """
    )
    op.execute(f"GRANT UPDATE (eway_bill_truck_id) ON trips TO {RUNTIME}")
    set_schema_revision(op, current=9, minimum_code=1)
