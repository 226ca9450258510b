"""What holds for every bus, for the one in Postgres and that of SNS and SQS alike."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from chassis.bus import MAXIMUM_BYTES, Bus, BusUnavailable, Delivery, EventTooLarge
from chassis.events import CloudEvent

from .happenings import CLOSED, LOADED, drain, event, ids, nothing_in, take
from .places import Place

Q = "tracking"
OTHER = "payment"


@pytest.fixture(autouse=True)
async def declared(bus: Bus) -> None:
    await bus.declare(Q, frozenset({LOADED}))


class TestPublish:
    async def test_an_event_arrives_as_it_was_published(self, bus: Bus) -> None:
        published = event(note="कोयला, 32 t \uffff", tons=32)
        await bus.publish([published])
        [delivery] = await take(bus, Q)
        assert CloudEvent.from_json(delivery.body) == published
        assert delivery.attempt == 1

    async def test_every_queue_that_wants_a_type_gets_it(self, bus: Bus) -> None:
        await bus.declare(OTHER, frozenset({LOADED, CLOSED}))
        loaded, closed = event(LOADED), event(CLOSED)
        await bus.publish([loaded, closed])
        assert ids(await take(bus, Q)) == [str(loaded.id)]
        assert sorted(ids(await take(bus, OTHER))) == sorted([str(loaded.id), str(closed.id)])
        assert await nothing_in(bus, Q)

    async def test_what_nobody_wants_is_gone(self, bus: Bus) -> None:
        await bus.publish([event(CLOSED)])
        await bus.publish([])
        await bus.declare(Q, frozenset({LOADED, CLOSED}))
        assert await nothing_in(bus, Q)

    async def test_more_than_fits_into_one_call(self, bus: Bus) -> None:
        published = [event(n=n) for n in range(33)]
        await bus.publish(published)
        found = await take(bus, Q, limit=25)
        found += await take(bus, Q, limit=25)
        assert sorted(ids(found)) == sorted(str(one.id) for one in published)

    async def test_the_same_event_twice_is_delivered_twice(self, bus: Bus) -> None:
        twice = event()
        await bus.publish([twice, twice])
        await bus.publish([twice])
        assert ids(await take(bus, Q)) == [str(twice.id)] * 3

    async def test_large_events_pass_several_at_once(self, bus: Bus) -> None:
        published = [event(photo="x" * 200_000) for _ in range(3)]
        await bus.publish(published)
        found = await take(bus, Q) + await take(bus, Q, wait=0)
        assert sorted(ids(found)) == sorted(str(one.id) for one in published)

    async def test_one_that_is_too_large_is_named_and_nothing_is_published(self, bus: Bus) -> None:
        huge = event(photo="x" * MAXIMUM_BYTES)
        with pytest.raises(EventTooLarge, match=str(huge.id)) as refusal:
            await bus.publish([event(), huge])
        assert refusal.value.event_id == huge.id
        assert await nothing_in(bus, Q)


class TestDeclare:
    async def test_again_changes_the_types_and_keeps_what_waits(self, bus: Bus) -> None:
        before = event(LOADED)
        await bus.publish([before])
        await bus.declare(Q, frozenset({CLOSED}))
        after = event(CLOSED)
        await bus.publish([event(LOADED), after])
        assert sorted(ids(await take(bus, Q))) == sorted([str(before.id), str(after.id)])

    async def test_without_types_a_queue_gets_nothing(self, bus: Bus) -> None:
        await bus.declare(OTHER, frozenset())
        await bus.declare(Q, frozenset())
        await bus.publish([event()])
        assert await nothing_in(bus, Q)
        assert await nothing_in(bus, OTHER)

    async def test_many_at_once_make_one_subscription(self, bus: Bus) -> None:
        await asyncio.gather(*(bus.declare(OTHER, frozenset({LOADED})) for _ in range(4)))
        await bus.publish([event()])
        assert len(await take(bus, OTHER)) == 1


class TestReceive:
    async def test_nothing_comes_back_empty_after_the_wait(self, bus: Bus) -> None:
        started = asyncio.get_running_loop().time()
        assert await take(bus, Q, wait=0.2) == []
        assert asyncio.get_running_loop().time() - started >= 0.2

    async def test_who_waits_is_woken(self, bus: Bus) -> None:
        waiting = asyncio.create_task(take(bus, Q, wait=20))
        await asyncio.sleep(0.2)
        await bus.publish([event()])
        async with asyncio.timeout(10):
            assert len(await waiting) == 1

    async def test_consumers_at_once_leave_nothing_behind(self, place: Place, bus: Bus) -> None:
        published = [event(n=n) for n in range(40)]
        await bus.publish(published)
        async with place.connect() as second:
            found = await drain(bus, bus, second, second)
        # SQS may hand out one to two at once, and its stand-in does.
        assert {*ids(found)} == {str(one.id) for one in published}

    async def test_nonsense_is_handed_out_like_anything_else(self, place: Place, bus: Bus) -> None:
        await place.put(Q, b"<lorry>")
        [delivery] = await take(bus, Q)
        assert delivery.body == b"<lorry>"
        await bus.acknowledge(Q, [delivery])
        assert (await bus.backlog(Q)).waiting == 0


class TestHands:
    """What becomes of an event that was handed out."""

    async def test_nobody_else_gets_it_before_the_timeout(self, bus: Bus) -> None:
        await bus.publish([event()])
        [first] = await take(bus, Q, visibility=1)
        assert await nothing_in(bus, Q)
        [second] = await take(bus, Q)
        assert second.body == first.body
        assert second.attempt == first.attempt + 1 == 2

    async def test_acknowledged_it_never_comes_again(self, bus: Bus) -> None:
        await bus.publish([event(n=n) for n in range(12)])
        found = await take(bus, Q, limit=12, visibility=1)
        await bus.acknowledge(Q, found)
        await bus.acknowledge(Q, found)
        await bus.acknowledge(Q, [])
        assert await take(bus, Q, wait=1.3) == []
        assert (await bus.backlog(Q)).waiting == 0

    async def test_released_it_comes_again_after_the_delay(self, bus: Bus) -> None:
        await bus.publish([event(), event()])
        found = await take(bus, Q)
        await bus.release(Q, [], delay=0)
        await bus.release(Q, found[:1], delay=1)
        assert await nothing_in(bus, Q)
        [again] = await take(bus, Q)
        assert (again.body, again.attempt) == (found[0].body, 2)
        await bus.release(Q, [again], delay=0)
        [third] = await take(bus, Q)
        assert third.attempt == 3

    async def test_a_void_receipt_is_no_error_and_the_new_one_goes_on(self, bus: Bus) -> None:
        await bus.publish([event()])
        void = await take(bus, Q, visibility=1)
        held = await take(bus, Q)
        await bus.acknowledge(Q, void)
        await bus.release(Q, void, delay=0)
        await bus.acknowledge(Q, held)
        await bus.release(Q, held, delay=0)
        assert await nothing_in(bus, Q)


async def test_the_backlog_counts_what_waits_and_what_is_in_hand(bus: Bus) -> None:
    empty = await bus.backlog(Q)
    assert (empty.waiting, empty.oldest_seconds) == (0, 0)
    await bus.publish([event() for _ in range(3)])
    await take(bus, Q, limit=1)
    await asyncio.sleep(0.05)
    backlog = await bus.backlog(Q)
    assert backlog.waiting == 3
    assert backlog.oldest_seconds > 0 or math.isnan(backlog.oldest_seconds)


CALLS: dict[str, Callable[[Bus, list[Delivery]], Awaitable[object]]] = {
    "declare": lambda bus, _: bus.declare(OTHER, frozenset({LOADED})),
    "publish": lambda bus, _: bus.publish([event()]),
    "receive": lambda bus, _: bus.receive(Q, limit=1, wait=0, visibility=1),
    "acknowledge": lambda bus, found: bus.acknowledge(Q, found),
    "release": lambda bus, found: bus.release(Q, found, delay=0),
    "backlog": lambda bus, _: bus.backlog(Q),
}


async def test_a_bus_that_is_away_says_so_and_works_again_when_it_is_back(
    place: Place, bus: Bus
) -> None:
    await bus.publish([event()])
    found = await take(bus, Q)
    waiting = asyncio.create_task(take(bus, Q, wait=20, visibility=1))
    await asyncio.sleep(0.1)
    place.way.cut()
    with pytest.raises(BusUnavailable):
        await waiting
    for call in CALLS.values():
        with pytest.raises(BusUnavailable):
            await call(bus, found)
    await place.way.open()
    await bus.release(Q, found, delay=0)
    for name in ("declare", "publish", "backlog"):
        await CALLS[name](bus, found)
    # A poll that was cut off may still get some at the server, for as long as its time-out.
    both = await take(bus, Q)
    while len(both) < 2:
        both += await take(bus, Q, wait=10)
