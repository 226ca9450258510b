from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bench.subjects.witness import HEARD, handlers
from bench.tokens import shipper
from chassis.db import Database
from chassis.events import CloudEvent
from chassis.ids import new_id
from chassis.testing.databases import TestDatabase
from contracts.booking import BOOKING_REQUESTED

from ..books import execute

DATA = {
    "booking_id": str(new_id()),
    "tenant_id": str(shipper(1).tenant_id),
    "shipper_id": str(shipper(1).subject),
    "pickup_location": {"lat": 23.8, "lng": 86.4, "address": "Dhanbad"},
    "drop_location": {"lat": 22.5, "lng": 88.3, "address": "Kolkata"},
    "material_type": "coal",
    "quantity_mt": 25,
    "distance_m": 300_000,
    "price": {"amount": 100, "currency": "INR"},
    "quote_id": None,
    "requested_at": "2026-11-24T12:00:00Z",
}


def event() -> CloudEvent:
    return CloudEvent.model_validate(
        {
            "id": new_id(),
            "source": "/booking",
            "type": BOOKING_REQUESTED,
            "subject": DATA["booking_id"],
            "time": datetime.now(UTC),
            "aggregateversion": 1,
            "data": DATA,
        }
    )


async def test_an_effect_is_heard_of_when_it_is_committed(
    database: TestDatabase, tmp_path: Path
) -> None:
    await execute(database.superuser_url, "CREATE TABLE effects (event_id uuid, booking_id uuid)")
    await execute(database.superuser_url, "GRANT INSERT ON effects TO booking_runtime")
    [see] = handlers(tmp_path).values()
    first, second, lost = event(), event(), event()
    own = Database.connect(database.url, name="test")
    began = datetime.now(UTC).timestamp()
    async with own.begin() as session:
        await see(session, first)
        await see(session, second)
        assert not (tmp_path / HEARD).exists()
    async with own.begin() as session:
        await see(session, lost)
        await session.rollback()
    await own.dispose()
    lines = [line.split() for line in (tmp_path / HEARD).read_text().splitlines()]
    assert [UUID(line[0]) for line in lines] == [first.id, second.id]
    assert all(float(line[1]) >= began for line in lines)
