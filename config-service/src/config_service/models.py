"""Tables: versions and their deletions, proposals and who has seen them, the audit.

Whatever must never be false is a constraint here: one active version for each address, numbers
without gaps, nothing in production without a second person who saw the content.
"""

from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.db import COLUMN_TYPES, new_metadata
from config_service.addresses import ENVIRONMENTS, PATH_LENGTH, PATH_PATTERN, SERVICES, Address

ProposedAction = Literal["put", "delete", "rollback"]

ADDRESS: Final = ("service_name", "environment", "config_path")
APPROVAL: Final = ("proposal_id", "approved_by")
TICKET_PATTERN: Final = "^CHG-[0-9]{8}$"
AUDIT_ACTIONS: Final = ("CREATE", "UPDATE", "DELETE", "ACCESS", "PROPOSE", "APPROVE")
AUDIT_OUTCOMES: Final = ("allowed", "denied")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """SQL that holds when the column has one of these values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = new_metadata()
    type_annotation_map = COLUMN_TYPES


class Addressed:
    """Columns that name a configuration."""

    service_name: Mapped[str] = mapped_column(String(50))
    environment: Mapped[str] = mapped_column(String(20))
    config_path: Mapped[str] = mapped_column(String(PATH_LENGTH))

    @property
    def address(self) -> Address:
        """What this row is about."""
        return Address(self.service_name, self.environment, self.config_path)


class Change:
    """Columns that say under which ticket something changed, and who approved it."""

    change_ticket: Mapped[str] = mapped_column(String(20))
    proposal_id: Mapped[UUID | None] = mapped_column(unique=True)
    approved_by: Mapped[str | None] = mapped_column(String(100))


def address_checks() -> tuple[CheckConstraint, ...]:
    """The constraints of `Addressed`."""
    return (
        CheckConstraint(one_of("service_name", SERVICES), name="service_name"),
        CheckConstraint(one_of("environment", ENVIRONMENTS), name="environment"),
        CheckConstraint(f"config_path ~ '{PATH_PATTERN}'", name="config_path"),
    )


def change_constraints(
    table: str, *, author: str
) -> tuple[CheckConstraint | ForeignKeyConstraint, ...]:
    """The constraints of `Change`; `author` is the column that says who made the change."""
    return (
        CheckConstraint(f"change_ticket ~ '{TICKET_PATTERN}'", name="change_ticket"),
        CheckConstraint("num_nulls(proposal_id, approved_by) IN (0, 2)", name="approval"),
        CheckConstraint(f"approved_by <> {author}", name="second_person"),
        CheckConstraint(
            "environment <> 'production' OR approved_by IS NOT NULL", name="production_approved"
        ),
        ForeignKeyConstraint(
            APPROVAL,
            [f"configuration_proposals.{column}" for column in APPROVAL],
            name=f"fk_{table}_approval",
        ),
    )


def checksum_check() -> CheckConstraint:
    """The constraint of a `checksum` column."""
    return CheckConstraint("checksum ~ '^[0-9a-f]{64}$'", name="checksum")


def version_reference(table: str, column: str) -> ForeignKeyConstraint:
    """`column` is the number of a version of the same address."""
    target = [f"configuration_versions.{name}" for name in (*ADDRESS, "version_number")]
    return ForeignKeyConstraint((*ADDRESS, column), target, name=f"fk_{table}_{column}")


class ConfigurationVersion(Addressed, Change, Base):
    """Content as it was written once. Only `is_active` ever changes, and only to false."""

    __tablename__ = "configuration_versions"
    __table_args__ = (
        *address_checks(),
        *change_constraints("configuration_versions", author="created_by"),
        checksum_check(),
        CheckConstraint("version_number > 0", name="version_number"),
        CheckConstraint("jsonb_typeof(config_data) = 'object'", name="config_data"),
        UniqueConstraint(*ADDRESS, "version_number", name="uq_configuration_versions_number"),
        version_reference("configuration_versions", "previous_version"),
        version_reference("configuration_versions", "restored_from"),
        Index(
            "uq_configuration_versions_active",
            *ADDRESS,
            unique=True,
            postgresql_where=text("is_active"),
        ),
    )

    version_id: Mapped[UUID] = mapped_column(primary_key=True)
    version_number: Mapped[int]
    # By its foreign key, version n exists only if n - 1 does.
    previous_version: Mapped[int | None] = mapped_column(
        Computed("NULLIF(version_number - 1, 0)", persisted=True)
    )
    config_data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    checksum: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    created_by: Mapped[str] = mapped_column(String(100))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    restored_from: Mapped[int | None]


class ConfigurationDeletion(Addressed, Change, Base):
    """The end of a version that nothing followed."""

    __tablename__ = "configuration_deletions"
    __table_args__ = (
        *address_checks(),
        *change_constraints("configuration_deletions", author="deleted_by"),
        version_reference("configuration_deletions", "version_number"),
        UniqueConstraint(*ADDRESS, "version_number", name="uq_configuration_deletions_number"),
    )

    deletion_id: Mapped[UUID] = mapped_column(primary_key=True)
    version_number: Mapped[int]
    deleted_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    deleted_by: Mapped[str] = mapped_column(String(100))


class Proposal(Addressed, Base):
    """A change that somebody wants to make, exactly as it would be made."""

    __tablename__ = "configuration_proposals"
    __table_args__ = (
        *address_checks(),
        checksum_check(),
        CheckConstraint(one_of("action", get_args(ProposedAction)), name="action"),
        CheckConstraint("base_version >= 0", name="base_version"),
        CheckConstraint("(action = 'rollback') = (to_version IS NOT NULL)", name="to_version"),
        CheckConstraint("(action = 'delete') = (proposed_data IS NULL)", name="proposed_data"),
        CheckConstraint(f"change_ticket ~ '{TICKET_PATTERN}'", name="change_ticket"),
        CheckConstraint("approved_by <> author", name="second_person"),
        CheckConstraint(
            "num_nulls(approved_by, approved_at, token_hash, token_expires_at) IN (0, 4)",
            name="approval",
        ),
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("used_at IS NULL OR approved_at IS NOT NULL", name="used_if_approved"),
        UniqueConstraint("token_hash"),
        UniqueConstraint(*APPROVAL, name="uq_configuration_proposals_approval"),
        # Nobody approves what they haven't seen.
        ForeignKeyConstraint(
            APPROVAL,
            ["configuration_proposal_views.proposal_id", "configuration_proposal_views.viewer"],
            name="fk_configuration_proposals_view",
            use_alter=True,
        ),
    )

    proposal_id: Mapped[UUID] = mapped_column(primary_key=True)
    action: Mapped[ProposedAction] = mapped_column(String(10))
    base_version: Mapped[int]
    to_version: Mapped[int | None]
    proposed_data: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    checksum: Mapped[str] = mapped_column(String(64))
    change_ticket: Mapped[str] = mapped_column(String(20))
    author: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    expires_at: Mapped[datetime]
    approved_by: Mapped[str | None] = mapped_column(String(100))
    approved_at: Mapped[datetime | None]
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    token_expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class ProposalView(Base):
    """Somebody was shown a proposal's content."""

    __tablename__ = "configuration_proposal_views"
    __table_args__ = (
        ForeignKeyConstraint(
            ["proposal_id"],
            ["configuration_proposals.proposal_id"],
            name="fk_configuration_proposal_views_proposal",
        ),
    )

    proposal_id: Mapped[UUID] = mapped_column(primary_key=True)
    viewer: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class ConfigurationAudit(Addressed, Base):
    """One thing that somebody did or read, or was refused. Never changed, sealed afterwards."""

    __tablename__ = "configuration_audit"
    __table_args__ = (
        CheckConstraint(one_of("action", AUDIT_ACTIONS), name="action"),
        CheckConstraint(one_of("outcome", AUDIT_OUTCOMES), name="outcome"),
        CheckConstraint("(outcome = 'denied') = (reason IS NOT NULL)", name="reason"),
        Index("ix_configuration_audit_service_env", "service_name", "environment"),
        Index("ix_configuration_audit_timestamp", "timestamp"),
        Index("ix_configuration_audit_user", "user_id"),
    )

    audit_id: Mapped[UUID] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(10), server_default=text("'allowed'"))
    reason: Mapped[str | None] = mapped_column(String(50))
    old_value: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    new_value: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    change_ticket: Mapped[str | None] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(String(100))
    ip_address: Mapped[str | None] = mapped_column(INET)
    timestamp: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    checksum: Mapped[str | None] = mapped_column(String(64))
    version_number: Mapped[int | None]
    proposal_id: Mapped[UUID | None]
    approved_by: Mapped[str | None] = mapped_column(String(100))
    resource: Mapped[str] = mapped_column(String(20))
    trace_id: Mapped[str | None] = mapped_column(Text)
