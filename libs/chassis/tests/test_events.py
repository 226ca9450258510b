import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel, ValidationError
from sqlalchemy import MetaData, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.events import (
    CloudEvent,
    EventKind,
    event_from_row,
    outbox,
    outbox_table,
    publish_again,
    record_event,
)
from chassis.ids import new_id

REQUESTED = "in.ubertruck.booking.requested.v1"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Payload(BaseModel):
    booking_id: uuid.UUID
    quote_id: uuid.UUID | None = None


def event(**changes: object) -> CloudEvent:
    values: dict[str, object] = {
        "id": new_id(),
        "source": "/booking",
        "type": REQUESTED,
        "subject": str(new_id()),
        "time": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "aggregateversion": 1,
        "tenantid": new_id(),
        "traceparent": TRACEPARENT,
        "data": {"quote_id": None, "tons": 25},
    }
    return CloudEvent.model_validate(values | changes)


def test_an_event_survives_the_wire() -> None:
    sent = event()
    assert CloudEvent.from_json(sent.to_json()) == sent


def test_the_wire_form_is_cloudevents_1_0() -> None:
    sent = event(tenantid=None, traceparent=None)
    assert json.loads(sent.to_json()) == {
        "specversion": "1.0",
        "id": str(sent.id),
        "source": "/booking",
        "type": REQUESTED,
        "subject": sent.subject,
        "time": "2026-01-02T03:04:05.000678Z",
        "datacontenttype": "application/json",
        "aggregateversion": 1,
        "data": {"quote_id": None, "tons": 25},
    }


def test_times_are_utc_on_the_wire() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    sent = event(time=datetime(2026, 1, 2, 5, 30, tzinfo=india))
    assert json.loads(sent.to_json())["time"] == "2026-01-02T00:00:00Z"


def test_unknown_attributes_are_ignored() -> None:
    sent = event()
    assert CloudEvent.from_json(json.dumps({**json.loads(sent.to_json()), "colour": "x"})) == sent


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "0.3"},
        {"source": "booking"},
        {"time": "0001-01-01T00:00:00+05:30"},
        {"type": "booking.requested"},
        {"type": "in.ubertruck.booking.requested.v0"},
        {"subject": ""},
        {"time": datetime(2026, 1, 2)},  # noqa: DTZ001 - what is refused
        {"aggregateversion": 0},
        {"data": "text"},
        {"datacontenttype": "text/xml"},
    ],
)
def test_what_is_no_event_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        event(**changes)


@pytest.mark.parametrize("change", [{"type": "nonsense"}, {"source": "booking"}])
def test_a_kind_that_makes_no_event_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        EventKind(**{"source": "/booking", "type": REQUESTED, **change})


async def test_an_event_that_is_none_is_not_recorded(session: AsyncSession) -> None:
    with pytest.raises(ValidationError):
        await record_event(
            session,
            source="/booking",
            type="nonsense",
            subject="x",
            tenant_id=None,
            aggregate_version=1,
            data=Payload(booking_id=new_id()),
        )


def test_a_row_carries_the_current_trace() -> None:
    payload = Payload(booking_id=new_id())
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        row = EventKind(source="/booking", type=REQUESTED).row(
            subject=payload.booking_id,
            tenant_id=None,
            aggregate_version=1,
            data=payload.model_dump_json(),
            occurred_at=datetime.now(UTC),
        )
    context = span.get_span_context()
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(span))
    assert context.is_valid
    assert row["traceparent"] == carrier["traceparent"]


async def test_a_recorded_event_comes_back_as_its_envelope(session: AsyncSession) -> None:
    booking, tenant = new_id(), new_id()
    before = datetime.now(UTC)
    event_id = await record_event(
        session,
        source="/booking",
        type=REQUESTED,
        subject=booking,
        tenant_id=tenant,
        aggregate_version=3,
        data=Payload(booking_id=booking),
        traceparent=TRACEPARENT,
    )
    rows = await session.execute(text("SELECT * FROM outbox"))
    recorded = event_from_row(rows.mappings().one())
    assert before <= recorded.time <= datetime.now(UTC)
    assert recorded == CloudEvent(
        id=event_id,
        source="/booking",
        type=REQUESTED,
        subject=str(booking),
        time=recorded.time,
        aggregateversion=3,
        tenantid=tenant,
        traceparent=TRACEPARENT,
        data={"booking_id": str(booking), "quote_id": None},
    )


async def test_the_table_names_the_columns_that_the_database_has(session: AsyncSession) -> None:
    columns = await session.scalars(
        text("SELECT attname FROM pg_attribute WHERE attrelid = 'outbox'::regclass AND attnum > 0")
    )
    assert set(outbox_table(MetaData()).c.keys()) == set(columns)


async def test_a_lost_bus_gets_the_last_day_again(
    session: AsyncSession, rollback_database: Database
) -> None:
    newest = datetime(2026, 1, 2, 12, tzinfo=UTC)
    times = [newest, newest - timedelta(hours=23), newest - timedelta(hours=25), None]
    for published_at in times:
        id = await record_event(
            session,
            source="/booking",
            type=REQUESTED,
            subject=new_id(),
            tenant_id=None,
            aggregate_version=1,
            data=Payload(booking_id=new_id()),
        )
        await session.execute(
            update(outbox).where(outbox.c.id == id).values(published_at=published_at)
        )
    await publish_again(rollback_database)
    left = await session.scalars(select(outbox.c.published_at))
    assert [time for time in left if time is not None] == [times[2]]
