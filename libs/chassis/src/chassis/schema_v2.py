"""What later migrations of every service change, written once; see `schema_v1`.

Released, and so never changed.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from chassis.schema_v1 import Operations

# Nobody searches by these, and they are wide: to sample and sort them is most of what ANALYZE
# costs, once a minute while a table grows fast.
NEVER_SEARCHED: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "idempotency_records": ("fingerprint", "headers", "body"),
        "outbox": ("traceparent", "data"),
    }
)


def keep_statistics_lean(op: Operations, table: str, columns: Sequence[str]) -> None:
    """Let ANALYZE pass over these columns, in the table's present partitions too."""
    targets = ", ".join(f'ALTER COLUMN "{column}" SET STATISTICS 0' for column in columns)
    op.execute(f'ALTER TABLE "{table}" {targets}')


def pass_statistics_on(op: Operations, runtime_role: str) -> None:
    """Let `maintain_partitions` give new partitions the statistics targets of their table."""
    signature = "maintain_partitions(text, int, int)"
    op.execute(f"ALTER FUNCTION {signature} RENAME TO change_partitions")
    op.execute(f'REVOKE ALL ON FUNCTION change_partitions FROM "{runtime_role}"')
    op.execute(_MAINTAIN_PARTITIONS)
    op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION {signature} TO "{runtime_role}"')


# CREATE TABLE … (LIKE …) copies everything but these.
_MAINTAIN_PARTITIONS: Final = """
CREATE FUNCTION maintain_partitions(
    parent text, ahead_days int DEFAULT 7, keep_days int DEFAULT NULL,
    OUT created int, OUT dropped int, OUT postponed int
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '3s'
AS $function$
DECLARE
    change text;
BEGIN
    SELECT * INTO created, dropped, postponed
    FROM public.change_partitions(parent, ahead_days, keep_days);
    IF created > 0 THEN
        FOR change IN
            SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s',
                inhrelid::regclass, wanted.attname, wanted.attstattarget)
            FROM pg_inherits
            JOIN pg_attribute AS wanted ON wanted.attrelid = inhparent AND wanted.attnum > 0
            JOIN pg_attribute AS found
                ON found.attrelid = inhrelid AND found.attname = wanted.attname
            WHERE inhparent = format('public.%I', parent)::regclass
                AND wanted.attstattarget >= 0
                AND found.attstattarget IS DISTINCT FROM wanted.attstattarget
        LOOP
            EXECUTE change;
        END LOOP;
    END IF;
END
$function$
"""
