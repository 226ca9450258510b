"""Trips and what is kept of each."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0005"
down_revision = "0004"

RUNTIME = "booking_runtime"
STATUSES = """
    ('assigned', 'accepted', 'at_pickup', 'loaded', 'in_transit', 'at_drop', 'delivered', 'closed',
     'cancelled')
"""
HOLDING = "status IN ('assigned', 'accepted', 'at_pickup', 'loaded', 'in_transit', 'at_drop')"
UNDER_WAY = "status IN ('at_pickup', 'loaded', 'in_transit', 'at_drop')"
CHANGING = (
    "truck_id, driver_id, planned, status, lorry_receipt_number, eway_bill_number,"
    " eway_bill_issued_at, eway_bill_expires_at, transit_pass_number, version, updated_at"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create_trips()
    create_indexes()
    create_evidence()
    create_weights()
    create_codes()
    create_series()
    create_claims()
    set_schema_revision(op, current=5, minimum_code=1)


def create_trips() -> None:
    op.execute(
        f"""
        CREATE TABLE trips (
            id uuid NOT NULL,
            booking_id uuid NOT NULL,
            tenant_id uuid NOT NULL,
            shipper_tenant_id uuid NOT NULL,
            truck_id uuid NOT NULL,
            driver_id uuid NOT NULL,
            load_mt numeric(7, 3) NOT NULL,
            planned tstzrange NOT NULL,
            status varchar(20) NOT NULL,
            lorry_receipt_number text,
            eway_bill_number text,
            eway_bill_issued_at timestamptz,
            eway_bill_expires_at timestamptz,
            transit_pass_number text,
            version int NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_trips PRIMARY KEY (id),
            CONSTRAINT fk_trips_booking_id_bookings FOREIGN KEY (booking_id)
                REFERENCES bookings (id),
            CONSTRAINT fk_trips_truck FOREIGN KEY (truck_id, tenant_id)
                REFERENCES trucks (id, tenant_id),
            CONSTRAINT fk_trips_driver FOREIGN KEY (driver_id, tenant_id)
                REFERENCES drivers (id, tenant_id),
            CONSTRAINT uq_trips_lorry_receipt UNIQUE (tenant_id, lorry_receipt_number),
            CONSTRAINT ck_trips_status CHECK (status IN {STATUSES}),
            CONSTRAINT ck_trips_load_mt CHECK (load_mt > 0 AND load_mt <= 100),
            CONSTRAINT ck_trips_version CHECK (version > 0 AND updated_at >= created_at),
            CONSTRAINT ck_trips_planned CHECK (NOT isempty(planned)
                AND lower(planned) IS NOT NULL AND upper(planned) IS NOT NULL),
            CONSTRAINT ck_trips_eway_bill CHECK (
                (eway_bill_number IS NULL) = (eway_bill_issued_at IS NULL)
                AND (eway_bill_number IS NULL) = (eway_bill_expires_at IS NULL)
                AND eway_bill_number ~ '^[0-9]{{12}}$'
                AND eway_bill_expires_at > eway_bill_issued_at),
            CONSTRAINT ex_trips_truck EXCLUDE USING gist (truck_id WITH =, planned WITH &&)
                WHERE ({HOLDING}),
            CONSTRAINT ex_trips_driver EXCLUDE USING gist (driver_id WITH =, planned WITH &&)
                WHERE ({HOLDING})
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE ({CHANGING}) ON trips TO {RUNTIME}")


def create_indexes() -> None:
    for holder in ("truck", "driver"):
        op.execute(
            f"CREATE UNIQUE INDEX uq_trips_{holder}_under_way ON trips ({holder}_id)"
            f" WHERE {UNDER_WAY}"
        )
    op.execute("CREATE INDEX ix_trips_tenant_newest ON trips (tenant_id, created_at, id)")
    op.execute("CREATE INDEX ix_trips_newest ON trips (created_at, id)")
    op.execute("CREATE INDEX ix_trips_booking ON trips (booking_id)")
    op.execute("CREATE INDEX ix_trips_driver_newest ON trips (driver_id, created_at, id)")


def create_evidence() -> None:
    op.execute(
        """
        CREATE TABLE trip_evidence (
            trip_id uuid NOT NULL,
            seq int NOT NULL,
            kind text NOT NULL,
            at timestamptz NOT NULL,
            by text NOT NULL,
            data jsonb NOT NULL,
            before text NOT NULL,
            digest text NOT NULL,
            CONSTRAINT pk_trip_evidence PRIMARY KEY (trip_id, seq),
            CONSTRAINT fk_trip_evidence_trip_id_trips FOREIGN KEY (trip_id) REFERENCES trips (id),
            CONSTRAINT uq_trip_evidence_before UNIQUE (trip_id, before),
            CONSTRAINT ck_trip_evidence_seq CHECK (seq > 0),
            CONSTRAINT ck_trip_evidence_data CHECK (jsonb_typeof(data) = 'object'),
            CONSTRAINT ck_trip_evidence_digests CHECK (before ~ '^[0-9a-f]{64}$'
                AND digest ~ '^[0-9a-f]{64}$')
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON trip_evidence TO {RUNTIME}")


def create_weights() -> None:
    op.execute(
        """
        CREATE TABLE trip_weights (
            trip_id uuid NOT NULL,
            place varchar(20) NOT NULL,
            tare_kg int NOT NULL,
            gross_kg int NOT NULL,
            weighed_at timestamptz NOT NULL,
            CONSTRAINT pk_trip_weights PRIMARY KEY (trip_id, place),
            CONSTRAINT fk_trip_weights_trip_id_trips FOREIGN KEY (trip_id) REFERENCES trips (id),
            CONSTRAINT ck_trip_weights_place CHECK (place IN ('pickup', 'drop')),
            CONSTRAINT ck_trip_weights_weights CHECK (tare_kg > 0 AND gross_kg > tare_kg)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON trip_weights TO {RUNTIME}")


def create_codes() -> None:
    op.execute(
        """
        CREATE TABLE trip_codes (
            trip_id uuid NOT NULL,
            purpose varchar(20) NOT NULL,
            digest bytea NOT NULL,
            expires_at timestamptz NOT NULL,
            failures int NOT NULL,
            blocked_until timestamptz,
            used_at timestamptz,
            CONSTRAINT pk_trip_codes PRIMARY KEY (trip_id, purpose),
            CONSTRAINT fk_trip_codes_trip_id_trips FOREIGN KEY (trip_id) REFERENCES trips (id),
            CONSTRAINT ck_trip_codes_purpose CHECK (purpose IN ('pickup', 'drop')),
            CONSTRAINT ck_trip_codes_digest CHECK (octet_length(digest) = 32),
            CONSTRAINT ck_trip_codes_failures CHECK (failures BETWEEN 0 AND 5),
            CONSTRAINT ck_trip_codes_blocked
                CHECK ((failures = 5) = (blocked_until IS NOT NULL))
        )
        """
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (digest, expires_at, failures, blocked_until, used_at)"
        f" ON trip_codes TO {RUNTIME}"
    )


def create_series() -> None:
    op.execute(
        """
        CREATE TABLE lorry_receipt_series (
            tenant_id uuid NOT NULL,
            financial_year text NOT NULL,
            last_count int NOT NULL,
            CONSTRAINT pk_lorry_receipt_series PRIMARY KEY (tenant_id, financial_year),
            CONSTRAINT ck_lorry_receipt_series_last_count CHECK (last_count > 0)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (last_count) ON lorry_receipt_series TO {RUNTIME}")


def create_claims() -> None:
    op.execute(
        """
        CREATE TABLE shortage_claims (
            id uuid NOT NULL,
            trip_id uuid NOT NULL,
            loaded_kg int NOT NULL,
            delivered_kg int NOT NULL,
            claimed_kg int NOT NULL,
            tolerance_percent numeric(7, 4) NOT NULL,
            paise_per_ton bigint NOT NULL,
            paise bigint NOT NULL,
            claimed_at timestamptz NOT NULL,
            CONSTRAINT pk_shortage_claims PRIMARY KEY (id),
            CONSTRAINT fk_shortage_claims_trip_id_trips FOREIGN KEY (trip_id)
                REFERENCES trips (id),
            CONSTRAINT uq_shortage_claims_trip_id UNIQUE (trip_id),
            CONSTRAINT ck_shortage_claims_weights CHECK (claimed_kg > 0 AND delivered_kg >= 0
                AND loaded_kg - delivered_kg = claimed_kg),
            CONSTRAINT ck_shortage_claims_paise CHECK (paise >= 0 AND paise_per_ton > 0),
            CONSTRAINT ck_shortage_claims_tolerance
                CHECK (tolerance_percent BETWEEN 0 AND 100)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON shortage_claims TO {RUNTIME}")
