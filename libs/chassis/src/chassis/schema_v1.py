"""Tables that every service's first migration makes, written once.

Released, and so never changed: a database may have been made by it any time ago. A change is a new
module `schema_v2` whose functions a later migration calls.

Each function takes alembic's `op` and, where it grants, the service's runtime role. Every statement
stands alone, because the driver prepares it.
"""

from typing import Protocol

TABLES = frozenset(
    {
        "schema_revision",
        "partitioned_tables",
        "idempotency_records",
        "outbox",
        "audit_log",
        "audit_seals",
    }
)
AHEAD_DAYS = 7
IDEMPOTENCY_KEEP_DAYS = 3
OUTBOX_KEEP_DAYS = 30


class Operations(Protocol):
    """What is used of `alembic.op`."""

    def execute(self, sqltext: str) -> None:
        """Run one statement."""
        ...


def create_schema_revision(op: Operations, runtime_role: str, *, current: int = 1) -> None:
    """`schema_revision`: one row with the schema's revision and the lowest code it serves."""
    op.execute(
        """
        CREATE TABLE schema_revision (
            only_row boolean NOT NULL DEFAULT true,
            current int NOT NULL,
            minimum_code int NOT NULL,
            CONSTRAINT pk_schema_revision PRIMARY KEY (only_row),
            CONSTRAINT ck_schema_revision_only_row CHECK (only_row),
            CONSTRAINT ck_schema_revision_minimum_code
                CHECK (1 <= minimum_code AND minimum_code <= current)
        )
        """
    )
    op.execute("INSERT INTO schema_revision (current, minimum_code) VALUES (1, 1)")
    set_schema_revision(op, current=current, minimum_code=1)
    op.execute(f'GRANT SELECT ON schema_revision TO "{runtime_role}"')


def set_schema_revision(op: Operations, *, current: int, minimum_code: int) -> None:
    """What a later migration says of itself: its revision, and the lowest code that still works."""
    numbers = f"current = {current:d}, minimum_code = {minimum_code:d}"
    op.execute(f"UPDATE schema_revision SET {numbers}")  # noqa: S608 - two integers


def create_partition_upkeep(op: Operations, runtime_role: str) -> None:
    """`maintain_partitions(parent, ahead_days, keep_days)` and the list of tables it may touch.

    The runtime role may call it but owns nothing: the function acts only on registered tables and
    never drops younger partitions than registered.
    """
    op.execute(
        """
        CREATE TABLE partitioned_tables (
            name text NOT NULL,
            keep_days int NOT NULL,
            keep_where text,
            CONSTRAINT pk_partitioned_tables PRIMARY KEY (name),
            CONSTRAINT ck_partitioned_tables_name CHECK (length(name) BETWEEN 1 AND 50),
            CONSTRAINT ck_partitioned_tables_keep_days CHECK (keep_days > 0)
        )
        """
    )
    op.execute(f'GRANT SELECT ON partitioned_tables TO "{runtime_role}"')
    op.execute(_MAINTAIN_PARTITIONS)
    op.execute("REVOKE ALL ON FUNCTION maintain_partitions FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION maintain_partitions TO "{runtime_role}"')


def register_partitioned(
    op: Operations, table: str, *, keep_days: int, keep_where: str | None = None
) -> None:
    """Give a table that is partitioned by day its default partition, its first days and upkeep.

    Rows older than `keep_days` are dropped by whole days, but a day that holds a row for which the
    condition `keep_where` is true stays.
    """
    condition = "NULL" if keep_where is None else f"$where${keep_where}$where$"
    op.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT')
    values = f"'{table}', {keep_days:d}, {condition}"
    op.execute(f"INSERT INTO partitioned_tables VALUES ({values})")  # noqa: S608 - of a migration
    op.execute(f"SELECT maintain_partitions('{table}', {AHEAD_DAYS:d})")


def create_idempotency(op: Operations, runtime_role: str) -> None:
    """`idempotency_records`: the answers that were given, by caller and key."""
    op.execute(
        """
        CREATE TABLE idempotency_records (
            tenant_id uuid NOT NULL,
            principal text NOT NULL,
            route text NOT NULL,
            key text NOT NULL,
            fingerprint bytea NOT NULL,
            status smallint NOT NULL,
            media_type text,
            body bytea NOT NULL,
            headers jsonb NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL DEFAULT now(),
            created_on date NOT NULL DEFAULT (now() AT TIME ZONE 'utc')::date,
            CONSTRAINT pk_idempotency_records
                PRIMARY KEY (tenant_id, principal, route, key, created_on),
            CONSTRAINT ck_idempotency_records_key CHECK (length(key) BETWEEN 1 AND 255),
            CONSTRAINT ck_idempotency_records_fingerprint CHECK (octet_length(fingerprint) = 32),
            CONSTRAINT ck_idempotency_records_status CHECK (status BETWEEN 200 AND 599)
        ) PARTITION BY RANGE (created_on)
        """
    )
    register_partitioned(op, "idempotency_records", keep_days=IDEMPOTENCY_KEEP_DAYS)
    op.execute(f'GRANT SELECT, INSERT ON idempotency_records TO "{runtime_role}"')


def create_outbox(op: Operations, runtime_role: str) -> None:
    """`outbox`: events that wait to be published, and for a while those that were."""
    op.execute(
        """
        CREATE TABLE outbox (
            id uuid NOT NULL,
            type text NOT NULL,
            source text NOT NULL,
            subject text NOT NULL,
            tenant_id uuid,
            aggregate_version int NOT NULL,
            traceparent text,
            data jsonb NOT NULL,
            occurred_at timestamptz NOT NULL,
            published_at timestamptz,
            created_on date NOT NULL DEFAULT (now() AT TIME ZONE 'utc')::date,
            CONSTRAINT pk_outbox PRIMARY KEY (id, created_on),
            CONSTRAINT ck_outbox_aggregate_version CHECK (aggregate_version >= 1)
        ) PARTITION BY RANGE (created_on)
        """
    )
    op.execute("CREATE INDEX ix_outbox_waiting ON outbox (occurred_at) WHERE published_at IS NULL")
    register_partitioned(
        op, "outbox", keep_days=OUTBOX_KEEP_DAYS, keep_where="published_at IS NULL"
    )
    op.execute(f'GRANT SELECT, INSERT, UPDATE (published_at) ON outbox TO "{runtime_role}"')


def create_audit(op: Operations, runtime_role: str) -> None:
    """`audit_log`: who did what, when, from where, under which ticket. Only ever added to."""
    op.execute(
        """
        CREATE TABLE audit_log (
            id uuid NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            actor text NOT NULL,
            tenant_id uuid,
            action text NOT NULL,
            target text NOT NULL,
            outcome text NOT NULL,
            change_ticket text,
            source_ip inet,
            trace_id text,
            details jsonb NOT NULL DEFAULT '{}',
            CONSTRAINT pk_audit_log PRIMARY KEY (id),
            CONSTRAINT ck_audit_log_outcome CHECK (outcome IN ('allowed', 'denied', 'failed'))
        )
        """
    )
    op.execute("CREATE INDEX ix_audit_log_recorded_at ON audit_log (recorded_at)")
    op.execute(f'GRANT SELECT, INSERT ON audit_log TO "{runtime_role}"')


def create_audit_seals(
    op: Operations, runtime_role: str, *, table: str = "audit_log", key: str = "id"
) -> None:
    """`audit_seals`: the chain of digests over the rows of `table`. Only ever added to."""
    op.execute(
        f"""
        CREATE TABLE audit_seals (
            seq bigint NOT NULL,
            audit_id uuid NOT NULL,
            row_digest bytea NOT NULL,
            chain_digest bytea NOT NULL,
            sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT pk_audit_seals PRIMARY KEY (seq),
            CONSTRAINT uq_audit_seals_audit_id UNIQUE (audit_id),
            CONSTRAINT fk_audit_seals_audit_id
                FOREIGN KEY (audit_id) REFERENCES "{table}" ("{key}"),
            CONSTRAINT ck_audit_seals_seq CHECK (seq > 0),
            CONSTRAINT ck_audit_seals_row_digest CHECK (octet_length(row_digest) = 32),
            CONSTRAINT ck_audit_seals_chain_digest CHECK (octet_length(chain_digest) = 32)
        )
        """
    )
    op.execute(f'GRANT SELECT, INSERT ON audit_seals TO "{runtime_role}"')


# Days are UTC. A day's table is made beside the parent and attached, so that the parent is locked
# only against other changes of its shape; rows that the default partition caught for that day move
# in first, because attaching would refuse while they are there.
_MAINTAIN_PARTITIONS = """
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
    registered public.partitioned_tables;
    parent_id regclass;
    default_id regclass;
    key_column name;
    today date := now()::date;
    first_kept date;
    child regclass;
    child_end date;
    child_name text;
    day date;
    stays boolean;
BEGIN
    created := 0; dropped := 0; postponed := 0;
    SELECT * INTO registered FROM public.partitioned_tables WHERE name = parent;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not a registered partitioned table', parent
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF ahead_days IS NULL OR ahead_days NOT BETWEEN 0 AND 60 THEN
        RAISE EXCEPTION 'ahead_days must be from 0 to 60' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    first_kept := today - greatest(keep_days, registered.keep_days);
    PERFORM pg_advisory_xact_lock(hashtext('maintain_partitions'), hashtext(parent));

    parent_id := format('public.%I', parent)::regclass;
    SELECT partdefid, attname INTO STRICT default_id, key_column
    FROM pg_partitioned_table
    JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0]
    WHERE partrelid = parent_id;

    FOR day IN SELECT today + n FROM generate_series(0, ahead_days) AS n LOOP
        child_name := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
        CONTINUE WHEN to_regclass(format('public.%I', child_name)) IS NOT NULL;
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent_id);
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', default_id);
        EXECUTE format('CREATE TABLE public.%I (LIKE %s INCLUDING ALL)', child_name, parent_id);
        EXECUTE format(
            'WITH moved AS (DELETE FROM %1$s WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) '
            'INSERT INTO public.%5$I SELECT * FROM moved',
            default_id, key_column, day, day + 1, child_name);
        EXECUTE format(
            'ALTER TABLE %s ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            parent_id, child_name, day, day + 1);
        created := created + 1;
    END LOOP;

    FOR child, child_end IN
        SELECT inhrelid::regclass,
            substring(pg_get_expr(relpartbound, inhrelid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = parent_id AND inhrelid <> default_id
        ORDER BY 2
    LOOP
        CONTINUE WHEN child_end > first_kept;
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s, %s IN ACCESS EXCLUSIVE MODE', parent_id, child);
            stays := false;
            IF registered.keep_where IS NOT NULL THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %s)', child,
                    registered.keep_where) INTO stays;
            END IF;
            CONTINUE WHEN stays;
            EXECUTE format('DROP TABLE %s', child);
            dropped := dropped + 1;
        EXCEPTION WHEN lock_not_available THEN
            postponed := postponed + 1;
        END;
    END LOOP;

    EXECUTE format('DELETE FROM %s WHERE %I < %L AND (%s) IS NOT TRUE', default_id, key_column,
        first_kept, coalesce(registered.keep_where, 'false'));
END
$function$
"""
