"""What answers in payment's place, over a real bus."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import JsonValue

from chassis.events import CloudEvent
from chassis.ids import new_id
from chassis.postgres_bus import PostgresBus
from chassis.testing.databases import TestServer, alembic_recipe
from contracts.booking import BOOKING_REQUESTED
from contracts.payment import PAYMENT_RESERVED, PaymentReserved
from ops.compose import payment

LISTENER = "booking"


@pytest.fixture
async def bus(test_server: TestServer) -> AsyncIterator[PostgresBus]:
    template = test_server.ensure_template(alembic_recipe("bus"))
    with test_server.cloned(template, "bus") as cloned:
        async with PostgresBus.connect(cloned.url, name="test") as connected:
            await payment.declare(connected)
            await connected.declare(LISTENER, frozenset({PAYMENT_RESERVED}))
            yield connected


def requested(booking_id: UUID, tenant_id: UUID, **more: JsonValue) -> CloudEvent:
    place: dict[str, JsonValue] = {
        "lat": 23.7957,
        "lng": 86.4304,
        "address": "Jharia coalfield, Dhanbad",
    }
    data: dict[str, JsonValue] = {
        "booking_id": str(booking_id),
        "tenant_id": str(tenant_id),
        "shipper_id": str(new_id()),
        "quote_id": None,
        "pickup_location": place,
        "drop_location": {**place, "lat": 22.5},
        "material_type": "coal",
        "quantity_mt": 75,
        "distance_m": 300_000,
        "price": {"amount": 12_390_000, "currency": "INR"},
        "requested_at": datetime.now(UTC).isoformat(),
        **more,
    }
    return CloudEvent(
        id=new_id(),
        source="/booking",
        type=BOOKING_REQUESTED,
        subject=str(booking_id),
        time=datetime.now(UTC),
        aggregateversion=1,
        data=data,
    )


async def answers(bus: PostgresBus) -> list[PaymentReserved]:
    found = await bus.receive(LISTENER, limit=10, wait=0, visibility=30)
    return [PaymentReserved.model_validate(CloudEvent.from_json(one.body).data) for one in found]


async def test_whatever_is_booked_is_paid_for_once(bus: PostgresBus) -> None:
    booking, tenant = new_id(), new_id()
    await bus.publish([requested(booking, tenant)])
    assert await payment.answer(bus, wait=5) == 1
    assert await payment.answer(bus, wait=0) == 0
    [answer] = await answers(bus)
    assert (answer.booking_id, answer.tenant_id) == (booking, tenant)
    assert answer.amount.amount == 12_390_000


async def test_nonsense_holds_nobody_up(bus: PostgresBus) -> None:
    good = new_id()
    await bus.publish([requested(new_id(), new_id(), price="free"), requested(good, new_id())])
    assert await payment.answer(bus, wait=5) == 2
    assert [answer.booking_id for answer in await answers(bus)] == [good]
    assert (await bus.backlog(payment.QUEUE)).waiting == 0
