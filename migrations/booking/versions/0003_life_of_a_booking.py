"""Schedules, contacts, fees, and the indexes by which bookings expire.

Only additions: code that knows nothing of them goes on working.
"""

from alembic import op

from chassis.schema_v1 import set_schema_revision
from chassis.schema_v2 import keep_statistics_lean

revision = "0003"
down_revision = "0002"

RUNTIME = "booking_runtime"

ARRANGEMENT = {
    "pickup_from": "timestamptz",
    "pickup_until": "timestamptz",
    "deliver_by": "timestamptz",
    "pickup_contact": "jsonb",
    "drop_contact": "jsonb",
    "instructions": "text",
}
CHECKS = {
    "pickup_window": (
        "(pickup_from IS NULL) = (pickup_until IS NULL) AND pickup_until > pickup_from"
    ),
    "deliver_by": "deliver_by > COALESCE(pickup_from, created_at)",
    "contacts": (
        "jsonb_typeof(pickup_contact) = 'object' AND jsonb_typeof(drop_contact) = 'object'"
    ),
    "instructions": "char_length(instructions) BETWEEN 1 AND 1000",
}
FEE = (
    "cancellation_fee_paise IS NULL"
    " OR (cancellation_fee_paise BETWEEN 0 AND price_paise AND status = 'cancelled')"
)
OPEN = "status IN ('requested', 'confirmed')"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for table in ("quotes", "bookings"):
        for column, kind in ARRANGEMENT.items():
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
        for name, condition in CHECKS.items():
            add_check(table, name, condition)
        keep_statistics_lean(op, table, ["pickup_contact", "drop_contact", "instructions"])
    op.execute("ALTER TABLE bookings ADD COLUMN cancellation_fee_paise bigint")
    add_check("bookings", "cancellation_fee", FEE)
    op.execute(f"CREATE INDEX ix_bookings_waiting ON bookings (status, created_at) WHERE {OPEN}")
    op.execute(
        "CREATE INDEX ix_bookings_pickup_until ON bookings (pickup_until)"
        f" WHERE {OPEN} AND pickup_until IS NOT NULL"
    )
    columns = ", ".join((*ARRANGEMENT, "cancellation_fee_paise"))
    op.execute(f"GRANT UPDATE ({columns}) ON bookings TO {RUNTIME}")
    set_schema_revision(op, current=3, minimum_code=1)


def add_check(table: str, name: str, condition: str) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition})")
