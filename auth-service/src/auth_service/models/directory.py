"""Who there is: tenants, their users, and the second factors of those."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from auth_service.models.base import Base, one_of, subset_of
from contracts.permissions import TENANT_KINDS, TenantKind, mfa_required, roles_of

Status = Literal["active", "suspended"]

STATUSES: Final[tuple[Status, ...]] = ("active", "suspended")
USERNAME_PATTERN: Final = "^[a-z0-9][a-z0-9._@+-]{2,127}$"


def _fitting_roles() -> str:
    """SQL that holds when a user has only roles that the kind of its tenant allows."""
    allowed = (
        f"(tenant_kind = '{kind}' AND {subset_of('roles', roles_of(kind))})"
        for kind in TENANT_KINDS
    )
    return " OR ".join(allowed)


class Tenant(Base):
    """A company that ships or has trucks, or the platform itself, of which there is one."""

    __tablename__ = "tenants"
    __table_args__ = (
        UniqueConstraint("id", "kind", name="uq_tenants_id_kind"),
        Index("uq_tenants_name", text("lower(name)"), unique=True),
        Index(
            "uq_tenants_platform", "kind", unique=True, postgresql_where=text("kind = 'platform'")
        ),
        CheckConstraint(one_of("kind", TENANT_KINDS), name="kind"),
        CheckConstraint(one_of("status", STATUSES), name="status"),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("version > 0", name="version"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text())
    kind: Mapped[TenantKind] = mapped_column(Text())
    status: Mapped[Status] = mapped_column(Text(), default="active")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class User(Base):
    """A person. The kind of the tenant is repeated here, so that a constraint can see it."""

    __tablename__ = "users"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "tenant_kind"], ["tenants.id", "tenants.kind"], name="fk_users_tenant"
        ),
        UniqueConstraint("username"),
        Index("ix_users_tenant", "tenant_id", "created_at", "id"),
        CheckConstraint(f"username ~ '{USERNAME_PATTERN}'", name="username"),
        CheckConstraint("password_hash LIKE '$argon2id$%'", name="password_hash"),
        CheckConstraint("cardinality(roles) > 0", name="some_role"),
        CheckConstraint(_fitting_roles(), name="fitting_roles"),
        CheckConstraint(one_of("status", STATUSES), name="status"),
        CheckConstraint("version > 0", name="version"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    tenant_kind: Mapped[TenantKind] = mapped_column(Text())
    username: Mapped[str] = mapped_column(Text())
    password_hash: Mapped[str] = mapped_column(Text())
    password_changed_at: Mapped[datetime]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    status: Mapped[Status] = mapped_column(Text(), default="active")
    bound_device: Mapped[str | None] = mapped_column(Text())
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def must_have_second_factor(self) -> bool:
        """Whether one of the roles demands it."""
        return mfa_required(self.roles)


class TotpCredential(Base):
    """A time-based second factor: confirmed and in use, or waiting for its first code."""

    __tablename__ = "totp_credentials"
    __table_args__ = (
        Index(
            "uq_totp_credentials_confirmed",
            "user_id",
            unique=True,
            postgresql_where=text("confirmed_at IS NOT NULL"),
        ),
        Index(
            "uq_totp_credentials_pending",
            "user_id",
            unique=True,
            postgresql_where=text("confirmed_at IS NULL"),
        ),
        CheckConstraint("(confirmed_at IS NULL) = (last_step IS NULL)", name="last_step"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    sealed_secret: Mapped[bytes]
    last_step: Mapped[int | None] = mapped_column(BigInteger())
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """Stands in for a second factor, once."""

    __tablename__ = "recovery_codes"
    __table_args__ = (CheckConstraint("length(code_hash) = 32", name="code_hash"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
