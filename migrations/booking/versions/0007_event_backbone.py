"""The event backbone: inbox, dead letters, and the lease of the active colour's workers."""

from alembic import op

from chassis.schema_v1 import set_schema_revision
from chassis.schema_v3 import create_dead_letters, create_inbox, create_worker_lease

revision = "0007"
down_revision = "0006"

RUNTIME = "booking_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create_inbox(op, RUNTIME)
    create_dead_letters(op, RUNTIME)
    create_worker_lease(op, RUNTIME)
    set_schema_revision(op, current=7, minimum_code=1)
