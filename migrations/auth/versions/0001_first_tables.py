"""The first tables: tenants and users, second factors, sessions, keys, counted failures."""

from alembic import op

from chassis.schema_v1 import (
    create_audit,
    create_audit_seals,
    create_idempotency,
    create_partition_upkeep,
    create_schema_revision,
)

revision = "0001"
down_revision = None

RUNTIME = "auth_runtime"

TABLES = (
    """
    CREATE TABLE tenants (
        id uuid NOT NULL,
        name text NOT NULL,
        kind text NOT NULL,
        status text NOT NULL,
        version int NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT pk_tenants PRIMARY KEY (id),
        CONSTRAINT uq_tenants_id_kind UNIQUE (id, kind),
        CONSTRAINT ck_tenants_kind CHECK (kind IN ('shipper', 'fleet', 'platform')),
        CONSTRAINT ck_tenants_status CHECK (status IN ('active', 'suspended')),
        CONSTRAINT ck_tenants_name CHECK (length(name) BETWEEN 1 AND 200),
        CONSTRAINT ck_tenants_version CHECK (version > 0)
    )
    """,
    "CREATE UNIQUE INDEX uq_tenants_name ON tenants (lower(name))",
    "CREATE UNIQUE INDEX uq_tenants_platform ON tenants (kind) WHERE kind = 'platform'",
    """
    CREATE TABLE users (
        id uuid NOT NULL,
        tenant_id uuid NOT NULL,
        tenant_kind text NOT NULL,
        username text NOT NULL,
        password_hash text NOT NULL,
        password_changed_at timestamptz NOT NULL,
        roles text[] NOT NULL,
        status text NOT NULL,
        bound_device text,
        version int NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT pk_users PRIMARY KEY (id),
        CONSTRAINT fk_users_tenant
            FOREIGN KEY (tenant_id, tenant_kind) REFERENCES tenants (id, kind),
        CONSTRAINT uq_users_username UNIQUE (username),
        CONSTRAINT ck_users_username CHECK (username ~ '^[a-z0-9][a-z0-9._@+-]{2,127}$'),
        CONSTRAINT ck_users_password_hash CHECK (password_hash LIKE '$argon2id$%'),
        CONSTRAINT ck_users_some_role CHECK (cardinality(roles) > 0),
        CONSTRAINT ck_users_fitting_roles CHECK (
            (tenant_kind = 'shipper' AND roles <@ ARRAY['admin', 'shipper']::text[])
            OR (tenant_kind = 'fleet'
                AND roles <@ ARRAY['admin', 'fleet_owner', 'driver']::text[])
            OR (tenant_kind = 'platform'
                AND roles <@ ARRAY['super_admin', 'operator', 'finance']::text[])
        ),
        CONSTRAINT ck_users_status CHECK (status IN ('active', 'suspended')),
        CONSTRAINT ck_users_version CHECK (version > 0)
    )
    """,
    "CREATE INDEX ix_users_tenant ON users (tenant_id, created_at, id)",
    """
    CREATE TABLE totp_credentials (
        id uuid NOT NULL,
        user_id uuid NOT NULL,
        sealed_secret bytea NOT NULL,
        last_step bigint,
        created_at timestamptz NOT NULL,
        confirmed_at timestamptz,
        CONSTRAINT pk_totp_credentials PRIMARY KEY (id),
        CONSTRAINT fk_totp_credentials_user_id_users
            FOREIGN KEY (user_id) REFERENCES users (id),
        CONSTRAINT ck_totp_credentials_last_step
            CHECK ((confirmed_at IS NULL) = (last_step IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX uq_totp_credentials_confirmed ON totp_credentials (user_id)
        WHERE confirmed_at IS NOT NULL
    """,
    """
    CREATE UNIQUE INDEX uq_totp_credentials_pending ON totp_credentials (user_id)
        WHERE confirmed_at IS NULL
    """,
    """
    CREATE TABLE recovery_codes (
        user_id uuid NOT NULL,
        code_hash bytea NOT NULL,
        created_at timestamptz NOT NULL,
        used_at timestamptz,
        CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash),
        CONSTRAINT fk_recovery_codes_user_id_users FOREIGN KEY (user_id) REFERENCES users (id),
        CONSTRAINT ck_recovery_codes_code_hash CHECK (length(code_hash) = 32)
    )
    """,
    """
    CREATE TABLE login_challenges (
        id uuid NOT NULL,
        token_hash bytea NOT NULL,
        user_id uuid NOT NULL,
        purpose text NOT NULL,
        attempts smallint NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz,
        CONSTRAINT pk_login_challenges PRIMARY KEY (id),
        CONSTRAINT uq_login_challenges_token_hash UNIQUE (token_hash),
        CONSTRAINT fk_login_challenges_user_id_users FOREIGN KEY (user_id) REFERENCES users (id),
        CONSTRAINT ck_login_challenges_purpose CHECK (purpose IN ('second-factor', 'enrolment')),
        CONSTRAINT ck_login_challenges_token_hash CHECK (length(token_hash) = 32),
        CONSTRAINT ck_login_challenges_short_life
            CHECK (expires_at <= created_at + interval '5 minutes'),
        CONSTRAINT ck_login_challenges_attempts CHECK (attempts BETWEEN 0 AND 5)
    )
    """,
    "CREATE INDEX ix_login_challenges_expires_at ON login_challenges (expires_at)",
    """
    CREATE TABLE sessions (
        id uuid NOT NULL,
        user_id uuid NOT NULL,
        device_id text,
        client bytea NOT NULL,
        second_factor boolean NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        ended_at timestamptz,
        end_reason text,
        CONSTRAINT pk_sessions PRIMARY KEY (id),
        CONSTRAINT fk_sessions_user_id_users FOREIGN KEY (user_id) REFERENCES users (id),
        CONSTRAINT ck_sessions_end_reason CHECK (end_reason IN (
            'logout', 'token-reuse', 'session-limit', 'suspended', 'password-changed',
            'second-factor-changed', 'second-factor-missing', 'roles-changed', 'device-reset'
        )),
        CONSTRAINT ck_sessions_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
        CONSTRAINT ck_sessions_expires_at CHECK (expires_at > created_at),
        CONSTRAINT ck_sessions_client CHECK (length(client) = 32)
    )
    """,
    "CREATE INDEX ix_sessions_live ON sessions (user_id, created_at) WHERE ended_at IS NULL",
    "CREATE INDEX ix_sessions_client ON sessions (user_id, client)",
    "CREATE INDEX ix_sessions_expires_at ON sessions (expires_at)",
    """
    CREATE TABLE refresh_tokens (
        id uuid NOT NULL,
        session_id uuid NOT NULL,
        parent_id uuid,
        token_hash bytea NOT NULL,
        created_at timestamptz NOT NULL,
        used_at timestamptz,
        used_by bytea,
        CONSTRAINT pk_refresh_tokens PRIMARY KEY (id),
        CONSTRAINT uq_refresh_tokens_token_hash UNIQUE (token_hash),
        CONSTRAINT uq_refresh_tokens_parent_id UNIQUE (parent_id),
        CONSTRAINT uq_refresh_tokens_id_session_id UNIQUE (id, session_id),
        CONSTRAINT fk_refresh_tokens_session_id_sessions
            FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE,
        CONSTRAINT fk_refresh_tokens_parent
            FOREIGN KEY (parent_id, session_id) REFERENCES refresh_tokens (id, session_id),
        CONSTRAINT ck_refresh_tokens_token_hash CHECK (length(token_hash) = 32),
        CONSTRAINT ck_refresh_tokens_used CHECK ((used_at IS NULL) = (used_by IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX uq_refresh_tokens_first ON refresh_tokens (session_id)
        WHERE parent_id IS NULL
    """,
    "CREATE INDEX ix_refresh_tokens_session_id ON refresh_tokens (session_id)",
    """
    CREATE TABLE service_clients (
        id uuid NOT NULL,
        client_id text NOT NULL,
        tenant_id uuid NOT NULL,
        secret_hash bytea NOT NULL,
        roles text[] NOT NULL,
        status text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT pk_service_clients PRIMARY KEY (id),
        CONSTRAINT uq_service_clients_client_id UNIQUE (client_id),
        CONSTRAINT fk_service_clients_tenant_id_tenants
            FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT ck_service_clients_client_id CHECK (client_id ~ '^[a-z][a-z0-9-]{1,63}$'),
        CONSTRAINT ck_service_clients_secret_hash CHECK (length(secret_hash) = 32),
        CONSTRAINT ck_service_clients_roles CHECK (roles <@ ARRAY['service']::text[]),
        CONSTRAINT ck_service_clients_some_role CHECK (cardinality(roles) > 0),
        CONSTRAINT ck_service_clients_status CHECK (status IN ('active', 'suspended'))
    )
    """,
    """
    CREATE TABLE signing_keys (
        kid text NOT NULL,
        sealed_private bytea,
        public_jwk jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        activates_at timestamptz NOT NULL,
        retires_at timestamptz,
        CONSTRAINT pk_signing_keys PRIMARY KEY (kid),
        CONSTRAINT ck_signing_keys_retires_at CHECK (retires_at >= created_at),
        CONSTRAINT ck_signing_keys_activates_at CHECK (activates_at >= created_at),
        CONSTRAINT ck_signing_keys_sealed_private
            CHECK (sealed_private IS NOT NULL OR retires_at IS NOT NULL)
    )
    """,
    """
    CREATE TABLE throttles (
        scope text NOT NULL,
        key bytea NOT NULL,
        failures int NOT NULL,
        blocked_until timestamptz NOT NULL,
        last_failure_at timestamptz NOT NULL,
        CONSTRAINT pk_throttles PRIMARY KEY (scope, key),
        CONSTRAINT ck_throttles_scope CHECK (scope IN ('account', 'source')),
        CONSTRAINT ck_throttles_key CHECK (length(key) = 32),
        CONSTRAINT ck_throttles_failures CHECK (failures >= 0)
    )
    """,
    "CREATE INDEX ix_throttles_last_failure_at ON throttles (last_failure_at)",
)

GRANTS = {
    "tenants": "SELECT, INSERT, UPDATE (name, status, version, updated_at)",
    "users": "SELECT, INSERT, UPDATE (password_hash, password_changed_at, roles, status,"
    " bound_device, version, updated_at)",
    "totp_credentials": "SELECT, INSERT, DELETE, UPDATE (last_step, confirmed_at)",
    "recovery_codes": "SELECT, INSERT, DELETE, UPDATE (used_at)",
    "login_challenges": "SELECT, INSERT, DELETE, UPDATE (attempts, used_at)",
    "sessions": "SELECT, INSERT, DELETE, UPDATE (second_factor, ended_at, end_reason)",
    "refresh_tokens": "SELECT, INSERT, UPDATE (used_at, used_by)",
    "service_clients": "SELECT, INSERT, UPDATE (secret_hash, status, updated_at)",
    "signing_keys": "SELECT, INSERT, UPDATE (sealed_private, activates_at, retires_at)",
    "throttles": "SELECT, INSERT, DELETE, UPDATE (failures, blocked_until, last_failure_at)",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    create_schema_revision(op, RUNTIME)
    create_partition_upkeep(op, RUNTIME)
    create_idempotency(op, RUNTIME)
    create_audit(op, RUNTIME)
    create_audit_seals(op, RUNTIME)
    for statement in TABLES:
        op.execute(statement)
    for table, rights in GRANTS.items():
        op.execute(f'GRANT {rights} ON {table} TO "{RUNTIME}"')
