"""Fleets: trucks, their documents, drivers, absences."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0004"
down_revision = "0003"

RUNTIME = "booking_runtime"

MEMBER = """
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    version int NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    retired_at timestamptz,
    CONSTRAINT pk_{table} PRIMARY KEY (id),
    CONSTRAINT uq_{table}_owner UNIQUE (id, tenant_id),
    CONSTRAINT ck_{table}_version CHECK (version > 0)
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Trusted: whoever owns the database may.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    create_trucks()
    create_documents()
    create_drivers()
    create_absences()
    set_schema_revision(op, current=4, minimum_code=1)


def create_trucks() -> None:
    op.execute(
        f"""
        CREATE TABLE trucks (
            {MEMBER.format(table="trucks")},
            registration_number text NOT NULL,
            truck_type varchar(20) NOT NULL,
            capacity_mt numeric(7, 3) NOT NULL,
            materials text[] NOT NULL,
            states text[] NOT NULL,
            CONSTRAINT ck_trucks_registration_number CHECK (registration_number ~
                '^([A-Z]{{2}}[0-9]{{1,2}}[A-Z]{{0,3}}[0-9]{{4}}|2[1-9]BH[0-9]{{4}}[A-HJ-NP-Z]{{1,2}})$'),
            CONSTRAINT ck_trucks_truck_type CHECK (truck_type IN
                ('tipper', 'open_body', 'closed_body', 'trailer', 'bulker')),
            CONSTRAINT ck_trucks_capacity_mt CHECK (capacity_mt BETWEEN 1 AND 100),
            CONSTRAINT ck_trucks_materials CHECK (cardinality(materials) > 0 AND materials <@
                ARRAY['coal', 'iron_ore', 'limestone', 'fertilizer', 'grain', 'sand']::text[]),
            CONSTRAINT ck_trucks_states CHECK (states <@ ARRAY['AN', 'AP', 'AR', 'AS', 'BR', 'CG',
                'CH', 'DD', 'DL', 'GA', 'GJ', 'HP', 'HR', 'JH', 'JK', 'KA', 'KL', 'LA', 'LD', 'MH',
                'ML', 'MN', 'MP', 'MZ', 'NL', 'OD', 'PB', 'PY', 'RJ', 'SK', 'TG', 'TN', 'TR', 'UK',
                'UP', 'WB']::text[])
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_trucks_registration_number ON trucks (registration_number)"
        " WHERE retired_at IS NULL"
    )
    op.execute("CREATE INDEX ix_trucks_tenant_newest ON trucks (tenant_id, created_at, id)")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (truck_type, capacity_mt, materials, states, version,"
        f" updated_at, retired_at) ON trucks TO {RUNTIME}"
    )


def create_documents() -> None:
    op.execute(
        """
        CREATE TABLE truck_documents (
            truck_id uuid NOT NULL,
            kind varchar(20) NOT NULL,
            number text NOT NULL,
            expires_on date NOT NULL,
            told_expired_on date,
            CONSTRAINT pk_truck_documents PRIMARY KEY (truck_id, kind),
            CONSTRAINT fk_truck_documents_truck_id_trucks FOREIGN KEY (truck_id)
                REFERENCES trucks (id),
            CONSTRAINT ck_truck_documents_kind CHECK (kind IN
                ('registration', 'fitness', 'insurance', 'permit', 'pollution')),
            CONSTRAINT ck_truck_documents_number CHECK (char_length(number) BETWEEN 1 AND 50)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_truck_documents_untold ON truck_documents (expires_on)"
        " WHERE told_expired_on IS DISTINCT FROM expires_on"
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (number, expires_on, told_expired_on) ON truck_documents"
        f" TO {RUNTIME}"
    )


def create_drivers() -> None:
    op.execute(
        f"""
        CREATE TABLE drivers (
            {MEMBER.format(table="drivers")},
            name text NOT NULL,
            phone text NOT NULL,
            licence_number text NOT NULL,
            licence_classes text[] NOT NULL,
            licence_expires_on date NOT NULL,
            subject text,
            told_expired_on date,
            CONSTRAINT ck_drivers_name CHECK (char_length(name) BETWEEN 1 AND 200),
            CONSTRAINT ck_drivers_phone CHECK (phone ~ '^\\+91[6-9][0-9]{{9}}$'),
            CONSTRAINT ck_drivers_licence_number CHECK (licence_number ~
                '^[A-Z]{{2}}[0-9]{{2}}(19|20)[0-9]{{9}}$'),
            CONSTRAINT ck_drivers_licence_classes CHECK (cardinality(licence_classes) > 0 AND
                licence_classes <@ ARRAY['LMV-TR', 'MGV', 'HGMV', 'HMV', 'TRANS']::text[])
        )
        """
    )
    for column in ("licence_number", "subject"):
        op.execute(
            f"CREATE UNIQUE INDEX uq_drivers_{column} ON drivers ({column})"
            " WHERE retired_at IS NULL"
        )
    op.execute("CREATE INDEX ix_drivers_tenant_newest ON drivers (tenant_id, created_at, id)")
    op.execute(
        "CREATE INDEX ix_drivers_untold ON drivers (licence_expires_on)"
        " WHERE told_expired_on IS DISTINCT FROM licence_expires_on"
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (name, phone, licence_classes, licence_expires_on, subject,"
        f" told_expired_on, version, updated_at, retired_at) ON drivers TO {RUNTIME}"
    )


def create_absences() -> None:
    op.execute(
        """
        CREATE TABLE absences (
            id uuid NOT NULL,
            truck_id uuid,
            driver_id uuid,
            reason varchar(20) NOT NULL,
            period tstzrange NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_absences PRIMARY KEY (id),
            CONSTRAINT fk_absences_truck_id_trucks FOREIGN KEY (truck_id) REFERENCES trucks (id),
            CONSTRAINT fk_absences_driver_id_drivers FOREIGN KEY (driver_id)
                REFERENCES drivers (id),
            CONSTRAINT ck_absences_holder CHECK (num_nonnulls(truck_id, driver_id) = 1),
            CONSTRAINT ck_absences_reason CHECK (reason IN ('off_duty', 'maintenance')),
            CONSTRAINT ck_absences_period CHECK (NOT isempty(period)
                AND lower(period) IS NOT NULL AND upper(period) IS NOT NULL),
            CONSTRAINT ex_absences_truck EXCLUDE USING gist (truck_id WITH =, period WITH &&),
            CONSTRAINT ex_absences_driver EXCLUDE USING gist (driver_id WITH =, period WITH &&)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT, DELETE ON absences TO {RUNTIME}")
