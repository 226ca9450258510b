"""Events: the CloudEvents 1.0 envelope, and the outbox they are written to.

`record_event` puts one row into the outbox in the transaction of the change it tells of, so an
event exists exactly when its change does. Publishing is another process's work.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue
from sqlalchemy import (
    Column,
    Date,
    DateTime,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    RowMapping,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.ids import new_id
from chassis.telemetry import current_traceparent

AGAIN = timedelta(days=1)


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None


EventType = Annotated[
    str, Field(pattern=r"^in\.ubertruck(\.[a-z][a-z0-9_-]*){2,}\.v[1-9][0-9]*$", max_length=200)
]
UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]


class CloudEvent(BaseModel):
    """One event on the wire, in structured JSON mode.

    `source` and `id` together name the event for good: consumers drop repetitions by them.
    Attributes that this code doesn't know are ignored, so that they can be added.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: uuid.UUID
    source: str = Field(pattern=r"^/[a-z][a-z0-9-]*$")
    type: EventType
    subject: str = Field(min_length=1, max_length=200)
    time: UtcTime
    datacontenttype: Literal["application/json"] = "application/json"
    aggregateversion: int = Field(ge=1, le=2**31 - 1)
    tenantid: uuid.UUID | None = None
    traceparent: str | None = Field(default=None, max_length=200)
    data: dict[str, JsonValue]

    def to_json(self) -> bytes:
        """UTF-8 JSON; attributes without a value are left out, as CloudEvents demands."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_json(cls, document: bytes | str) -> "CloudEvent":
        """Raises pydantic's `ValidationError` for anything that isn't such an event."""
        return cls.model_validate_json(document)


# What a service does about an event, in the session's transaction; see `chassis.consumer`.
Handler: TypeAlias = Callable[[AsyncSession, CloudEvent], Awaitable[None]]


class OutboxRow(TypedDict):
    """The columns of one outbox row that its writer fills; `data` is JSON text."""

    id: uuid.UUID
    type: str
    source: str
    subject: str
    tenant_id: uuid.UUID | None
    aggregate_version: int
    traceparent: str | None
    data: str
    occurred_at: datetime


def outbox_table(metadata: MetaData) -> Table:
    """The outbox as part of a service's `metadata`; migrations make it in daily partitions."""
    return Table(
        "outbox",
        metadata,
        Column("id", Uuid(), nullable=False),
        Column("type", Text(), nullable=False),
        Column("source", Text(), nullable=False),
        Column("subject", Text(), nullable=False),
        Column("tenant_id", Uuid()),
        Column("aggregate_version", Integer(), nullable=False),
        Column("traceparent", Text()),
        Column("data", JSONB(), nullable=False),
        Column("occurred_at", DateTime(timezone=True), nullable=False),
        Column("published_at", DateTime(timezone=True)),
        Column(
            "created_on",
            Date(),
            nullable=False,
            server_default=text("((now() AT TIME ZONE 'utc')::date)"),
        ),
        PrimaryKeyConstraint("id", "created_on"),
        postgresql_partition_by="RANGE (created_on)",
    )


outbox = outbox_table(MetaData())


class EventKind:
    """The events of one type and source, checked once, so that a row of them needs no check."""

    def __init__(self, *, source: str, type: str) -> None:
        CloudEvent(
            id=new_id(),
            source=source,
            type=type,
            subject="any",
            time=datetime.now(UTC),
            aggregateversion=1,
            data={},
        )
        self.source = source
        self.type = type

    def row(
        self,
        *,
        subject: uuid.UUID,
        tenant_id: uuid.UUID | None,
        aggregate_version: int,
        data: str,
        occurred_at: datetime,
    ) -> OutboxRow:
        """One outbox row with a fresh id, in the current trace; `data` is a JSON object as text."""
        return OutboxRow(
            id=new_id(),
            type=self.type,
            source=self.source,
            subject=str(subject),
            tenant_id=tenant_id,
            aggregate_version=aggregate_version,
            traceparent=current_traceparent(),
            data=data,
            occurred_at=occurred_at,
        )


async def record_event(
    session: AsyncSession,
    *,
    source: str,
    type: str,
    subject: str | uuid.UUID,
    tenant_id: uuid.UUID | None,
    aggregate_version: int,
    data: BaseModel,
    occurred_at: datetime | None = None,
    traceparent: str | None = None,
) -> uuid.UUID:
    """Write one event in the session's transaction and return its id.

    `source` is the service (`/booking`), `subject` the aggregate's id, `aggregate_version` counts
    that aggregate's changes from 1.
    """
    event = CloudEvent(
        id=new_id(),
        source=source,
        type=type,
        subject=str(subject),
        time=occurred_at or datetime.now(UTC),
        aggregateversion=aggregate_version,
        tenantid=tenant_id,
        traceparent=traceparent or current_traceparent(),
        data=data.model_dump(mode="json"),
    )
    await session.execute(
        insert(outbox).values(
            id=event.id,
            type=event.type,
            source=event.source,
            subject=event.subject,
            tenant_id=event.tenantid,
            aggregate_version=event.aggregateversion,
            traceparent=event.traceparent,
            data=event.data,
            occurred_at=event.time,
        )
    )
    return event.id


def event_from_row(row: Mapping[str, Any] | RowMapping) -> CloudEvent:
    """The envelope of one outbox row as the database gives it."""
    return CloudEvent(
        id=row["id"],
        source=row["source"],
        type=row["type"],
        subject=row["subject"],
        time=row["occurred_at"],
        aggregateversion=row["aggregate_version"],
        tenantid=row["tenant_id"],
        traceparent=row["traceparent"],
        data=row["data"],
    )


async def publish_again(database: Database) -> None:
    """Let the relay publish the outbox's last day once more: the bus lost what was waiting there.

    Consumers drop what they have handled. The day is that before the last event published, since
    a backup may be old.
    """
    published = outbox.c.published_at
    newest = select(func.max(published)).scalar_subquery()
    async with database.begin() as session:
        # Not every service has something to tell.
        if await session.scalar(text("SELECT to_regclass('outbox') IS NULL")):
            return
        await session.execute(
            update(outbox).where(published >= newest - AGAIN).values(published_at=None)
        )
