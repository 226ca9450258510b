"""Events for tests of the buses."""

from datetime import UTC, datetime

from chassis.bus import Bus, Delivery
from chassis.events import CloudEvent
from chassis.ids import new_id

LOADED = "in.ubertruck.trip.loaded.v1"
CLOSED = "in.ubertruck.trip.closed.v1"


def event(type: str = LOADED, **data: str | int) -> CloudEvent:
    return CloudEvent(
        id=new_id(),
        source="/booking",
        type=type,
        subject=str(new_id()),
        time=datetime.now(UTC),
        aggregateversion=1,
        data={**data},
    )


def ids(deliveries: list[Delivery]) -> list[str]:
    return [str(CloudEvent.from_json(delivery.body).id) for delivery in deliveries]


async def take(
    bus: Bus, queue: str, *, limit: int = 10, wait: float = 5, visibility: float = 30
) -> list[Delivery]:
    return list(await bus.receive(queue, limit=limit, wait=wait, visibility=visibility))


async def nothing_in(bus: Bus, queue: str) -> bool:
    return not await take(bus, queue, wait=0)
