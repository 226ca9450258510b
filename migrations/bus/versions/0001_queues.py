"""Queues, what each of them wants, and what waits in them."""

from alembic import op

revision = "0001"
down_revision = None

RUNTIME = "bus_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    create_queues()
    create_messages()


def create_queues() -> None:
    # Names that SQS takes too, with room for a prefix.
    op.execute(
        """
        CREATE TABLE queues (
            name text COLLATE "C" NOT NULL,
            CONSTRAINT pk_queues PRIMARY KEY (name),
            CONSTRAINT ck_queues_name CHECK (name ~ '^[a-z][a-z0-9-]{0,39}$')
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON queues TO {RUNTIME}")
    op.execute(
        """
        CREATE TABLE subscriptions (
            type text COLLATE "C" NOT NULL,
            queue text COLLATE "C" NOT NULL,
            CONSTRAINT pk_subscriptions PRIMARY KEY (type, queue),
            CONSTRAINT fk_subscriptions_queue_queues FOREIGN KEY (queue) REFERENCES queues (name),
            CONSTRAINT ck_subscriptions_type CHECK (char_length(type) BETWEEN 1 AND 200)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT, DELETE ON subscriptions TO {RUNTIME}")


def create_messages() -> None:
    # Every row is written, changed and deleted within seconds. Vacuum must come by the number of
    # dead rows, not by their share: after a backlog of 100 000 a share would be far too late.
    op.execute(
        """
        CREATE TABLE messages (
            id bigint GENERATED ALWAYS AS IDENTITY,
            queue text COLLATE "C" NOT NULL,
            body bytea NOT NULL,
            enqueued_at timestamptz NOT NULL DEFAULT now(),
            visible_at timestamptz NOT NULL DEFAULT now(),
            attempts int NOT NULL DEFAULT 0,
            CONSTRAINT pk_messages PRIMARY KEY (id),
            CONSTRAINT fk_messages_queue_queues FOREIGN KEY (queue) REFERENCES queues (name),
            CONSTRAINT ck_messages_body CHECK (octet_length(body) BETWEEN 1 AND 262144),
            CONSTRAINT ck_messages_attempts CHECK (attempts >= 0)
        ) WITH (
            autovacuum_vacuum_scale_factor = 0,
            autovacuum_vacuum_threshold = 5000,
            autovacuum_vacuum_insert_scale_factor = 0,
            autovacuum_vacuum_insert_threshold = 50000,
            autovacuum_vacuum_cost_delay = 0,
            autovacuum_analyze_scale_factor = 0,
            autovacuum_analyze_threshold = 50000
        )
        """
    )
    op.execute("CREATE INDEX ix_messages_next ON messages (queue, visible_at)")
    # Nobody searches by it, and an ANALYZE that reads long bodies holds up the vacuum.
    op.execute("ALTER TABLE messages ALTER COLUMN body SET STATISTICS 0")
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE (visible_at, attempts), DELETE ON messages TO {RUNTIME}"
    )
