"""What the service itself needs: signing keys, clients of other services, counted failures."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from auth_service.delay import DelayRule
from auth_service.models.base import Base, one_of, subset_of
from auth_service.models.directory import STATUSES, Status

ThrottleScope = Literal["account", "source"]

THROTTLE_SCOPES: Final[tuple[ThrottleScope, ...]] = ("account", "source")


class SigningKey(Base):
    """A key that signs from `activates_at` until a younger one does, and is believed longer.

    The private half is forgotten once the key is retired.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (
        CheckConstraint("retires_at >= created_at", name="retires_at"),
        CheckConstraint("activates_at >= created_at", name="activates_at"),
        CheckConstraint(
            "sealed_private IS NOT NULL OR retires_at IS NOT NULL", name="sealed_private"
        ),
    )

    kid: Mapped[str] = mapped_column(Text(), primary_key=True)
    sealed_private: Mapped[bytes | None]
    public_jwk: Mapped[dict[str, Any]] = mapped_column(JSONB())
    created_at: Mapped[datetime]
    activates_at: Mapped[datetime]
    retires_at: Mapped[datetime | None]

    def is_published(self, now: datetime) -> bool:
        """Whether tokens signed with it are believed."""
        return self.retires_at is None or now < self.retires_at


class ServiceClient(Base):
    """A service that may act by itself. The secret is random and long, so a plain hash keeps it."""

    __tablename__ = "service_clients"
    __table_args__ = (
        UniqueConstraint("client_id"),
        CheckConstraint("client_id ~ '^[a-z][a-z0-9-]{1,63}$'", name="client_id"),
        CheckConstraint("length(secret_hash) = 32", name="secret_hash"),
        CheckConstraint(subset_of("roles", ["service"]), name="roles"),
        CheckConstraint("cardinality(roles) > 0", name="some_role"),
        CheckConstraint(one_of("status", STATUSES), name="status"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(Text())
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    secret_hash: Mapped[bytes]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    status: Mapped[Status] = mapped_column(Text(), default="active")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Throttle(Base):
    """Failures in a row of one account or one source; keyed by a hash, so it names nobody."""

    __tablename__ = "throttles"
    __table_args__ = (
        Index("ix_throttles_last_failure_at", "last_failure_at"),
        CheckConstraint(one_of("scope", THROTTLE_SCOPES), name="scope"),
        CheckConstraint("length(key) = 32", name="key"),
        CheckConstraint("failures >= 0", name="failures"),
    )

    scope: Mapped[ThrottleScope] = mapped_column(Text(), primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    blocked_until: Mapped[datetime]
    last_failure_at: Mapped[datetime]

    def fail(self, rule: DelayRule, *, now: datetime) -> None:
        """Count one more failure."""
        self.failures = rule.failures_after(self.failures, last=self.last_failure_at, now=now)
        self.last_failure_at = now
        self.blocked_until = now + rule.delay(self.failures)
