"""Events for tests of the buses."""

import asyncio
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


async def drain(*consumers: Bus, queue: str = "tracking") -> list[Delivery]:
    """What these find when they take at once, until nothing is left for any."""

    async def take_all(bus: Bus) -> list[Delivery]:
        found: list[Delivery] = []
        while part := await take(bus, queue, limit=7, wait=0):
            found += part
        return found

    return [one for part in await asyncio.gather(*map(take_all, consumers)) for one in part]
