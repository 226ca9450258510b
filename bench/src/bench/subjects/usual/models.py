"""The outbox and the idempotency records as ORM classes; bookings are booking's own class.

`created_on`, which the database fills and the partitions go by, is left out: mapped as the part of
the key that it is, each insert would have to bring it back.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.db import COLUMN_TYPES, new_metadata

MAPPED = {**COLUMN_TYPES, str: Text(), dict[str, Any]: JSONB()}


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = MAPPED


class OutboxEvent(Base):
    """An event that waits to be published."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    source: Mapped[str]
    subject: Mapped[str]
    tenant_id: Mapped[UUID]
    aggregate_version: Mapped[int]
    traceparent: Mapped[str | None]
    data: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]


class IdempotencyRecord(Base):
    """The answer that was given to a caller's key."""

    __tablename__ = "idempotency_records"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    principal: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int] = mapped_column(SmallInteger)
    media_type: Mapped[str]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
