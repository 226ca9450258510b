"""Bids, and what was agreed with the fleet for a trip."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0010"
down_revision = "0009"

RUNTIME = "booking_runtime"
STATES = """
    ARRAY['AN', 'AP', 'AR', 'AS', 'BR', 'CG', 'CH', 'DD', 'DL', 'GA', 'GJ', 'HP', 'HR', 'JH', 'JK',
          'KA', 'KL', 'LA', 'LD', 'MH', 'ML', 'MN', 'MP', 'MZ', 'NL', 'OD', 'PB', 'PY', 'RJ', 'SK',
          'TG', 'TN', 'TR', 'UK', 'UP', 'WB']::text[]
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE trips
            ADD COLUMN agreed_paise bigint,
            ADD CONSTRAINT ck_trips_agreed_paise CHECK (agreed_paise > 0)
        """
    )
    create_bids()
    create_indexes()
    set_schema_revision(op, current=10, minimum_code=1)


def create_bids() -> None:
    op.execute(
        f"""
        CREATE TABLE bids (
            id uuid NOT NULL,
            booking_id uuid NOT NULL,
            tenant_id uuid NOT NULL,
            shipper_tenant_id uuid NOT NULL,
            truck_id uuid NOT NULL,
            driver_id uuid NOT NULL,
            placed_by text NOT NULL,
            load_mt numeric(7, 3) NOT NULL,
            price_paise bigint NOT NULL,
            pickup_at timestamptz NOT NULL,
            states text[] NOT NULL,
            valid_until timestamptz NOT NULL,
            status varchar(20) NOT NULL,
            reason text,
            trip_id uuid,
            version int NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_bids PRIMARY KEY (id),
            CONSTRAINT fk_bids_booking_id_bookings FOREIGN KEY (booking_id)
                REFERENCES bookings (id),
            CONSTRAINT fk_bids_trip_id_trips FOREIGN KEY (trip_id) REFERENCES trips (id),
            CONSTRAINT fk_bids_truck FOREIGN KEY (truck_id, tenant_id)
                REFERENCES trucks (id, tenant_id),
            CONSTRAINT fk_bids_driver FOREIGN KEY (driver_id, tenant_id)
                REFERENCES drivers (id, tenant_id),
            CONSTRAINT uq_bids_trip_id UNIQUE (trip_id),
            CONSTRAINT ck_bids_load_mt CHECK (load_mt > 0 AND load_mt <= 100),
            CONSTRAINT ck_bids_price_paise CHECK (price_paise BETWEEN 1 AND 10000000000),
            CONSTRAINT ck_bids_validity CHECK
                (valid_until > created_at AND valid_until <= pickup_at),
            CONSTRAINT ck_bids_states CHECK (states <@ {STATES}),
            CONSTRAINT ck_bids_status CHECK
                (status IN ('open', 'accepted', 'declined', 'withdrawn', 'lapsed')),
            CONSTRAINT ck_bids_version CHECK
                (version = CASE status WHEN 'open' THEN 1 ELSE 2 END),
            CONSTRAINT ck_bids_trip CHECK ((status = 'accepted') = (trip_id IS NOT NULL)),
            CONSTRAINT ck_bids_reason CHECK (CASE WHEN status = 'lapsed' THEN reason IS NOT NULL
                WHEN status <> 'declined' THEN reason IS NULL ELSE true END)
        )
        """
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (status, reason, trip_id, version, updated_at) ON bids"
        f" TO {RUNTIME}"
    )


def create_indexes() -> None:
    op.execute(
        "CREATE UNIQUE INDEX uq_bids_open ON bids (truck_id, booking_id) WHERE status = 'open'"
    )
    op.execute("CREATE INDEX ix_bids_booking_newest ON bids (booking_id, created_at, id)")
    op.execute("CREATE INDEX ix_bids_tenant_newest ON bids (tenant_id, created_at, id)")
