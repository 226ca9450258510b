"""The first tables: quotes, bookings, the changes of their status."""

from alembic import op

from chassis.schema_v1 import (
    create_audit,
    create_audit_seals,
    create_idempotency,
    create_outbox,
    create_partition_upkeep,
    create_schema_revision,
)

revision = "0001"
down_revision = None

RUNTIME = "booking_runtime"

STATUSES = """
    ('requested', 'confirmed', 'rejected', 'assigned', 'in_progress', 'delivered', 'completed',
     'cancelled', 'expired')
"""

CONSIGNMENT = """
    tenant_id uuid NOT NULL,
    shipper_id text NOT NULL,
    pickup_lat double precision NOT NULL,
    pickup_lng double precision NOT NULL,
    pickup_address text NOT NULL,
    drop_lat double precision NOT NULL,
    drop_lng double precision NOT NULL,
    drop_address text NOT NULL,
    material_type varchar(20) NOT NULL,
    quantity_mt numeric(7, 3) NOT NULL,
    distance_m int NOT NULL,
    price_paise bigint NOT NULL,
    price_basis jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT ck_{table}_pickup CHECK (pickup_lat BETWEEN -90 AND 90
        AND pickup_lng BETWEEN -180 AND 180 AND char_length(pickup_address) BETWEEN 10 AND 500),
    CONSTRAINT ck_{table}_drop CHECK (drop_lat BETWEEN -90 AND 90
        AND drop_lng BETWEEN -180 AND 180 AND char_length(drop_address) BETWEEN 10 AND 500),
    CONSTRAINT ck_{table}_material_type CHECK (material_type IN
        ('coal', 'iron_ore', 'limestone', 'fertilizer', 'grain', 'sand')),
    CONSTRAINT ck_{table}_quantity_mt CHECK (quantity_mt BETWEEN 1 AND 1000),
    CONSTRAINT ck_{table}_distance_m CHECK (distance_m > 0),
    CONSTRAINT ck_{table}_price_paise CHECK (price_paise > 0),
    CONSTRAINT ck_{table}_price_basis CHECK (jsonb_typeof(price_basis) = 'object')
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    create_schema_revision(op, RUNTIME)
    create_partition_upkeep(op, RUNTIME)
    create_idempotency(op, RUNTIME)
    create_outbox(op, RUNTIME)
    create_audit(op, RUNTIME)
    create_audit_seals(op, RUNTIME)
    create_quotes()
    create_bookings()
    create_status_changes()


def create_quotes() -> None:
    op.execute(
        f"""
        CREATE TABLE quotes (
            id uuid NOT NULL,
            {CONSIGNMENT.format(table="quotes")},
            expires_at timestamptz NOT NULL,
            CONSTRAINT pk_quotes PRIMARY KEY (id),
            CONSTRAINT uq_quotes_terms UNIQUE (id, tenant_id, shipper_id, price_paise),
            CONSTRAINT ck_quotes_expires_at CHECK (expires_at > created_at)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON quotes TO {RUNTIME}")


def create_bookings() -> None:
    op.execute(
        f"""
        CREATE TABLE bookings (
            id uuid NOT NULL,
            {CONSIGNMENT.format(table="bookings")},
            quote_id uuid,
            status varchar(20) NOT NULL,
            version int NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_bookings PRIMARY KEY (id),
            CONSTRAINT ck_bookings_status CHECK (status IN {STATUSES}),
            CONSTRAINT ck_bookings_version CHECK (version > 0),
            CONSTRAINT fk_bookings_terms FOREIGN KEY (quote_id, tenant_id, shipper_id, price_paise)
                REFERENCES quotes (id, tenant_id, shipper_id, price_paise)
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_bookings_quote_id ON bookings (quote_id) WHERE quote_id IS NOT NULL"
    )
    op.execute("CREATE INDEX ix_bookings_tenant_newest ON bookings (tenant_id, created_at, id)")
    op.execute("CREATE INDEX ix_bookings_newest ON bookings (created_at, id)")
    # What was agreed, and its price, nobody changes.
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE (status, version, updated_at) ON bookings TO {RUNTIME}"
    )


def create_status_changes() -> None:
    op.execute(
        f"""
        CREATE TABLE booking_status_changes (
            booking_id uuid NOT NULL,
            version int NOT NULL,
            from_status varchar(20) NOT NULL,
            to_status varchar(20) NOT NULL,
            changed_at timestamptz NOT NULL,
            changed_by text NOT NULL,
            reason text,
            CONSTRAINT pk_booking_status_changes PRIMARY KEY (booking_id, version),
            CONSTRAINT fk_booking_status_changes_booking_id_bookings FOREIGN KEY (booking_id)
                REFERENCES bookings (id),
            CONSTRAINT ck_booking_status_changes_version CHECK (version > 1),
            CONSTRAINT ck_booking_status_changes_from_status CHECK (from_status IN {STATUSES}),
            CONSTRAINT ck_booking_status_changes_to_status CHECK (to_status IN {STATUSES}),
            CONSTRAINT ck_booking_status_changes_moves CHECK (from_status <> to_status)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON booking_status_changes TO {RUNTIME}")
