"""Tables of every service that sends or handles events, besides the outbox; see `schema_v1`.

Released, and so never changed.
"""

from typing import Final

from chassis.schema_v1 import Operations, register_partitioned

TABLES: Final = frozenset({"inbox", "dead_letters", "worker_lease"})
INBOX_KEEP_DAYS: Final = 30


def create_inbox(op: Operations, runtime_role: str) -> None:
    """`inbox`: which events were handled.

    The day is that of the event itself, never that of its arrival: each event belongs into one
    partition only, and so the primary key is unique over all of them.
    """
    op.execute(
        """
        CREATE TABLE inbox (
            source text NOT NULL,
            id uuid NOT NULL,
            occurred_on date NOT NULL,
            handled_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_inbox PRIMARY KEY (source, id, occurred_on)
        ) PARTITION BY RANGE (occurred_on)
        """
    )
    register_partitioned(op, "inbox", keep_days=INBOX_KEEP_DAYS)
    op.execute(f'GRANT SELECT, INSERT ON inbox TO "{runtime_role}"')


def create_dead_letters(op: Operations, runtime_role: str) -> None:
    """`dead_letters`: events that could not be handled, or published, for an operator to look at.

    One that is parked again, because nobody saw the end of the first time, stays one row.
    """
    op.execute(
        """
        CREATE TABLE dead_letters (
            id uuid NOT NULL,
            queue text NOT NULL,
            body bytea NOT NULL,
            body_digest bytea NOT NULL GENERATED ALWAYS AS (sha256(body)) STORED,
            type text,
            reason text NOT NULL,
            error text NOT NULL,
            attempts int NOT NULL,
            first_at timestamptz NOT NULL DEFAULT now(),
            last_at timestamptz NOT NULL DEFAULT now(),
            replay_requested_at timestamptz,
            resolved_at timestamptz,
            CONSTRAINT pk_dead_letters PRIMARY KEY (id),
            CONSTRAINT ck_dead_letters_reason CHECK (reason IN
                ('nonsense', 'unknown_type', 'too_old', 'failed', 'unpublishable')),
            CONSTRAINT ck_dead_letters_attempts CHECK (attempts > 0)
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_dead_letters_open ON dead_letters (queue, body_digest)"
        " WHERE resolved_at IS NULL"
    )
    op.execute(
        "CREATE INDEX ix_dead_letters_replay ON dead_letters (queue, replay_requested_at)"
        " WHERE replay_requested_at IS NOT NULL AND resolved_at IS NULL"
    )
    changing = "reason, error, attempts, last_at, replay_requested_at, resolved_at"
    op.execute(f'GRANT SELECT, INSERT, UPDATE ({changing}) ON dead_letters TO "{runtime_role}"')


def create_worker_lease(op: Operations, runtime_role: str) -> None:
    """`worker_lease`: the workers that may relay and consume. They are all of one colour."""
    # Of Postgres's own, and trusted: the owner of a database may add it. It lets GiST compare text.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(
        """
        CREATE TABLE worker_lease (
            worker uuid NOT NULL,
            colour text NOT NULL,
            renewed_until timestamptz NOT NULL,
            CONSTRAINT pk_worker_lease PRIMARY KEY (worker),
            CONSTRAINT ck_worker_lease_colour CHECK (colour IN ('blue', 'green')),
            CONSTRAINT ex_worker_lease_colour EXCLUDE USING gist (colour WITH <>)
        )
        """
    )
    op.execute(
        f'GRANT SELECT, INSERT, DELETE, UPDATE (renewed_until) ON worker_lease TO "{runtime_role}"'
    )
