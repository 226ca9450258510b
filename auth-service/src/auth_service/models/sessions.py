"""What comes of a login: a challenge, or a session with its chain of refresh tokens."""

from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from auth_service.models.base import Base, one_of

Purpose = Literal["second-factor", "enrolment"]
EndReason = Literal[
    "logout",
    "token-reuse",
    "session-limit",
    "suspended",
    "password-changed",
    "second-factor-changed",
    "second-factor-missing",
    "roles-changed",
    "device-reset",
]

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
END_REASONS: Final[tuple[EndReason, ...]] = get_args(EndReason)
MAX_ATTEMPTS: Final = 5
CHALLENGE_LIFE: Final = timedelta(minutes=5)
# A client whose answer got lost asks again within this time, and gets the same answer.
RETRY_WINDOW: Final = timedelta(seconds=10)


class LoginChallenge(Base):
    """The password was right; a code is still owed. Used once, tried a few times, soon over."""

    __tablename__ = "login_challenges"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index("ix_login_challenges_expires_at", "expires_at"),
        CheckConstraint(one_of("purpose", PURPOSES), name="purpose"),
        CheckConstraint("length(token_hash) = 32", name="token_hash"),
        CheckConstraint("expires_at <= created_at + interval '5 minutes'", name="short_life"),
        CheckConstraint(f"attempts BETWEEN 0 AND {MAX_ATTEMPTS}", name="attempts"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[Purpose] = mapped_column(Text())
    attempts: Mapped[int] = mapped_column(SmallInteger(), default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    def is_open(self, now: datetime) -> bool:
        """Whether it may still be answered."""
        return self.used_at is None and self.attempts < MAX_ATTEMPTS and now < self.expires_at


class UserSession(Base):
    """One login of one person; the family of refresh tokens that descends from it."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index(
            "ix_sessions_live",
            "user_id",
            "created_at",
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_sessions_client", "user_id", "client"),
        Index("ix_sessions_expires_at", "expires_at"),
        CheckConstraint(one_of("end_reason", END_REASONS), name="end_reason"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        CheckConstraint("length(client) = 32", name="client"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    device_id: Mapped[str | None] = mapped_column(Text())
    client: Mapped[bytes]
    second_factor: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[EndReason | None] = mapped_column(Text())

    def is_live(self, now: datetime) -> bool:
        """Whether it may still be refreshed."""
        return self.ended_at is None and now < self.expires_at

    def end(self, reason: EndReason, *, now: datetime) -> None:
        """End it; the first reason stays."""
        if self.ended_at is None:
            self.ended_at = now
            self.end_reason = reason


class RefreshToken(Base):
    """One link of a chain: a token has one successor at most, within its own session."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        UniqueConstraint("parent_id"),
        UniqueConstraint("id", "session_id", name="uq_refresh_tokens_id_session_id"),
        ForeignKeyConstraint(
            ["parent_id", "session_id"],
            ["refresh_tokens.id", "refresh_tokens.session_id"],
            name="fk_refresh_tokens_parent",
        ),
        Index(
            "uq_refresh_tokens_first",
            "session_id",
            unique=True,
            postgresql_where=text("parent_id IS NULL"),
        ),
        Index("ix_refresh_tokens_session_id", "session_id"),
        CheckConstraint("length(token_hash) = 32", name="token_hash"),
        CheckConstraint("(used_at IS NULL) = (used_by IS NULL)", name="used"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    parent_id: Mapped[UUID | None]
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[bytes | None]

    def is_retry(self, client: bytes, *, now: datetime) -> bool:
        """Whether the client that used it asks again, soon enough to have lost the answer."""
        if self.used_at is None:
            return False
        return self.used_by == client and now - self.used_at <= RETRY_WINDOW
