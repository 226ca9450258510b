"""The first tables: versions and their deletions, proposals and their viewers, the audit."""

from alembic import op

from chassis.schema_v1 import (
    create_audit_seals,
    create_idempotency,
    create_partition_upkeep,
    create_schema_revision,
)

revision = "0001"
down_revision = None

RUNTIME = "config_runtime"

ADDRESS_CHECKS = """
    CONSTRAINT ck_{table}_service_name CHECK (service_name IN
        ('booking', 'tracking', 'payment', 'notification', 'auth', 'edge')),
    CONSTRAINT ck_{table}_environment CHECK (environment IN ('dev', 'staging', 'production')),
    CONSTRAINT ck_{table}_config_path CHECK
        (config_path ~ '^[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*$')
"""
CHANGE_CHECKS = """
    CONSTRAINT ck_{table}_change_ticket CHECK (change_ticket ~ '^CHG-[0-9]{{8}}$'),
    CONSTRAINT ck_{table}_approval CHECK (num_nulls(proposal_id, approved_by) IN (0, 2)),
    CONSTRAINT ck_{table}_second_person CHECK (approved_by <> {author}),
    CONSTRAINT ck_{table}_production_approved CHECK
        (environment <> 'production' OR approved_by IS NOT NULL),
    CONSTRAINT fk_{table}_approval FOREIGN KEY (proposal_id, approved_by)
        REFERENCES configuration_proposals (proposal_id, approved_by),
    CONSTRAINT uq_{table}_proposal_id UNIQUE (proposal_id)
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    create_schema_revision(op, RUNTIME)
    create_partition_upkeep(op, RUNTIME)
    create_idempotency(op, RUNTIME)
    create_proposals()
    create_versions()
    create_deletions()
    create_audit()
    create_audit_seals(op, RUNTIME, table="configuration_audit", key="audit_id")


def create_proposals() -> None:
    op.execute(
        f"""
        CREATE TABLE configuration_proposals (
            proposal_id uuid NOT NULL,
            service_name varchar(50) NOT NULL,
            environment varchar(20) NOT NULL,
            config_path varchar(255) NOT NULL,
            action varchar(10) NOT NULL,
            base_version int NOT NULL,
            to_version int,
            proposed_data jsonb,
            checksum varchar(64) NOT NULL,
            change_ticket varchar(20) NOT NULL,
            author varchar(100) NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            expires_at timestamptz NOT NULL,
            approved_by varchar(100),
            approved_at timestamptz,
            token_hash bytea,
            token_expires_at timestamptz,
            used_at timestamptz,
            CONSTRAINT pk_configuration_proposals PRIMARY KEY (proposal_id),
            CONSTRAINT uq_configuration_proposals_approval UNIQUE (proposal_id, approved_by),
            CONSTRAINT uq_configuration_proposals_token_hash UNIQUE (token_hash),
            CONSTRAINT ck_configuration_proposals_action CHECK
                (action IN ('put', 'delete', 'rollback')),
            CONSTRAINT ck_configuration_proposals_base_version CHECK (base_version >= 0),
            CONSTRAINT ck_configuration_proposals_to_version CHECK
                ((action = 'rollback') = (to_version IS NOT NULL)),
            CONSTRAINT ck_configuration_proposals_proposed_data CHECK
                ((action = 'delete') = (proposed_data IS NULL)),
            CONSTRAINT ck_configuration_proposals_checksum CHECK (checksum ~ '^[0-9a-f]{{64}}$'),
            CONSTRAINT ck_configuration_proposals_change_ticket CHECK
                (change_ticket ~ '^CHG-[0-9]{{8}}$'),
            CONSTRAINT ck_configuration_proposals_second_person CHECK (approved_by <> author),
            CONSTRAINT ck_configuration_proposals_approval CHECK
                (num_nulls(approved_by, approved_at, token_hash, token_expires_at) IN (0, 4)),
            CONSTRAINT ck_configuration_proposals_token_hash CHECK (octet_length(token_hash) = 32),
            CONSTRAINT ck_configuration_proposals_used_if_approved CHECK
                (used_at IS NULL OR approved_at IS NOT NULL),
            {ADDRESS_CHECKS.format(table="configuration_proposals")}
        )
        """
    )
    op.execute(
        """
        CREATE TABLE configuration_proposal_views (
            proposal_id uuid NOT NULL,
            viewer varchar(100) NOT NULL,
            seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT pk_configuration_proposal_views PRIMARY KEY (proposal_id, viewer),
            CONSTRAINT fk_configuration_proposal_views_proposal FOREIGN KEY (proposal_id)
                REFERENCES configuration_proposals (proposal_id)
        )
        """
    )
    op.execute(
        """
        ALTER TABLE configuration_proposals ADD CONSTRAINT fk_configuration_proposals_view
            FOREIGN KEY (proposal_id, approved_by)
            REFERENCES configuration_proposal_views (proposal_id, viewer)
        """
    )
    op.execute(
        f"""
        GRANT SELECT, INSERT,
            UPDATE (approved_by, approved_at, token_hash, token_expires_at, used_at)
            ON configuration_proposals TO {RUNTIME}
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON configuration_proposal_views TO {RUNTIME}")


def create_versions() -> None:
    op.execute(
        f"""
        CREATE TABLE configuration_versions (
            version_id uuid NOT NULL,
            service_name varchar(50) NOT NULL,
            environment varchar(20) NOT NULL,
            config_path varchar(255) NOT NULL,
            version_number int NOT NULL,
            previous_version int GENERATED ALWAYS AS (NULLIF(version_number - 1, 0)) STORED,
            config_data jsonb NOT NULL,
            checksum varchar(64) NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            created_by varchar(100) NOT NULL,
            is_active boolean NOT NULL DEFAULT true,
            restored_from int,
            change_ticket varchar(20) NOT NULL,
            proposal_id uuid,
            approved_by varchar(100),
            CONSTRAINT pk_configuration_versions PRIMARY KEY (version_id),
            CONSTRAINT uq_configuration_versions_number
                UNIQUE (service_name, environment, config_path, version_number),
            CONSTRAINT fk_configuration_versions_previous_version
                FOREIGN KEY (service_name, environment, config_path, previous_version)
                REFERENCES configuration_versions
                    (service_name, environment, config_path, version_number),
            CONSTRAINT fk_configuration_versions_restored_from
                FOREIGN KEY (service_name, environment, config_path, restored_from)
                REFERENCES configuration_versions
                    (service_name, environment, config_path, version_number),
            CONSTRAINT ck_configuration_versions_version_number CHECK (version_number > 0),
            CONSTRAINT ck_configuration_versions_config_data CHECK
                (jsonb_typeof(config_data) = 'object'),
            CONSTRAINT ck_configuration_versions_checksum CHECK (checksum ~ '^[0-9a-f]{{64}}$'),
            {ADDRESS_CHECKS.format(table="configuration_versions")},
            {CHANGE_CHECKS.format(table="configuration_versions", author="created_by")}
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_configuration_versions_active
            ON configuration_versions (service_name, environment, config_path) WHERE is_active
        """
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (is_active) ON configuration_versions TO {RUNTIME}")


def create_deletions() -> None:
    op.execute(
        f"""
        CREATE TABLE configuration_deletions (
            deletion_id uuid NOT NULL,
            service_name varchar(50) NOT NULL,
            environment varchar(20) NOT NULL,
            config_path varchar(255) NOT NULL,
            version_number int NOT NULL,
            deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            deleted_by varchar(100) NOT NULL,
            change_ticket varchar(20) NOT NULL,
            proposal_id uuid,
            approved_by varchar(100),
            CONSTRAINT pk_configuration_deletions PRIMARY KEY (deletion_id),
            CONSTRAINT uq_configuration_deletions_number
                UNIQUE (service_name, environment, config_path, version_number),
            CONSTRAINT fk_configuration_deletions_version_number
                FOREIGN KEY (service_name, environment, config_path, version_number)
                REFERENCES configuration_versions
                    (service_name, environment, config_path, version_number),
            {ADDRESS_CHECKS.format(table="configuration_deletions")},
            {CHANGE_CHECKS.format(table="configuration_deletions", author="deleted_by")}
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT ON configuration_deletions TO {RUNTIME}")


def create_audit() -> None:
    op.execute(
        """
        CREATE TABLE configuration_audit (
            audit_id uuid NOT NULL,
            service_name varchar(50) NOT NULL,
            environment varchar(20) NOT NULL,
            config_path varchar(255) NOT NULL,
            action varchar(20) NOT NULL,
            outcome varchar(10) NOT NULL DEFAULT 'allowed',
            reason varchar(50),
            old_value jsonb,
            new_value jsonb,
            change_ticket varchar(20),
            user_id varchar(100) NOT NULL,
            ip_address inet,
            "timestamp" timestamptz NOT NULL DEFAULT clock_timestamp(),
            checksum varchar(64),
            version_number int,
            proposal_id uuid,
            approved_by varchar(100),
            resource varchar(20) NOT NULL,
            trace_id text,
            CONSTRAINT pk_configuration_audit PRIMARY KEY (audit_id),
            CONSTRAINT ck_configuration_audit_action CHECK
                (action IN ('CREATE', 'UPDATE', 'DELETE', 'ACCESS', 'PROPOSE', 'APPROVE')),
            CONSTRAINT ck_configuration_audit_outcome CHECK (outcome IN ('allowed', 'denied')),
            CONSTRAINT ck_configuration_audit_reason CHECK
                ((outcome = 'denied') = (reason IS NOT NULL))
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_configuration_audit_service_env
            ON configuration_audit (service_name, environment)
        """
    )
    op.execute('CREATE INDEX ix_configuration_audit_timestamp ON configuration_audit ("timestamp")')
    op.execute("CREATE INDEX ix_configuration_audit_user ON configuration_audit (user_id)")
    op.execute(f"GRANT SELECT, INSERT ON configuration_audit TO {RUNTIME}")
