"""${message}."""

<%
    operations = upgrades or downgrades
    columns = operations and "sa." in (upgrades or "") + (downgrades or "")
%>\
% if columns:
import sqlalchemy as sa
% endif
from alembic import op
% if imports:
${imports}
% endif

revision = "${up_revision}"
down_revision = ${f'"{down_revision}"' if isinstance(down_revision, str) else repr(down_revision)}


def upgrade() -> None:
    # A migration that waits for a lock keeps everybody behind it waiting: better to fail and retry.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    ${upgrades if upgrades else "..."}
