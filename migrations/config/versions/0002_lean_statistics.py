"""Statistics of what is searched, and of nothing else."""

from alembic import op

from chassis.schema_v1 import set_schema_revision
from chassis.schema_v2 import NEVER_SEARCHED, keep_statistics_lean, pass_statistics_on

revision = "0002"
down_revision = "0001"

RUNTIME = "config_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    pass_statistics_on(op, RUNTIME)
    keep_statistics_lean(op, "idempotency_records", NEVER_SEARCHED["idempotency_records"])
    set_schema_revision(op, current=2, minimum_code=1)
