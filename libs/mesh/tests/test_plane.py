"""What the charts render, on a real Envoy: behaviour as callers and processes see it."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from .fleet import Fleet, hangs_up, slow, status, until
from .gateway import eventually
from .planes import QUICK, RunningPlane, instance, quick
from .problem import BASE
from .rendered import CALLER
from .wire import Answered, Caller

BOOKING = "booking-service"
PAY = "ingress_payment-blue-1"


def is_problem(answered: Answered, code: int) -> bool:
    return (
        answered.status == code
        and answered.headers["content-type"] == "application/problem+json"
        and BASE.encode() in answered.body
    )


@pytest.mark.long
async def test_requests_are_divided_by_weight(plane: RunningPlane) -> None:
    number = 20_000
    await asyncio.to_thread(plane.set_weights, BOOKING, blue=90, green=10)
    async with plane.caller(BOOKING) as caller:
        found = await caller.many(number)
    assert sum(found.values()) == number
    assert set(found) == {"booking-blue-1", "booking-green-1"}
    # The 99.9 % interval of a binomial: 3.29 standard deviations to both sides.
    deviation = (number * 0.1 * 0.9) ** 0.5
    assert abs(found["booking-green-1"] - 0.1 * number) <= 3.2905 * deviation


async def test_other_weights_drop_nothing(plane: RunningPlane) -> None:
    async with plane.caller(BOOKING) as caller:
        load = asyncio.create_task(caller.steadily(500, 2.5))
        for green in (1, 25, 50, 100, 0):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(plane.set_weights, BOOKING, blue=100 - green, green=green)
        found = await load
        assert set(found) == {"booking-blue-1", "booking-green-1"}, found
        assert sum(found.values()) == 1250
        plane.fleet.forget()
        await caller.many(400)
    assert plane.fleet["booking-green-1"].seen.total() == 0


async def test_weights_that_envoy_refuses_change_nothing(plane: RunningPlane) -> None:
    path = plane.plane.routes_file(CALLER)
    good = path.read_text()
    broken = path.with_suffix(".new")
    broken.write_text(good.replace('"weight": 90', '"weight": 0').replace(": 10\n", ": 0\n"))
    rejected = "http.egress_edge.rds.edge.update_rejected"
    before = plane.stat(rejected)
    broken.rename(path)
    await asyncio.to_thread(eventually, lambda: plane.stat(rejected) > before)
    async with quick(plane) as caller:
        assert (await caller.call()).status == 200
    broken.write_text(good)
    broken.rename(path)


async def test_an_operator_sees_a_colour_whatever_its_weight(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, QUICK, blue=100, green=0)
    async with quick(plane) as caller:
        seen = {(await caller.call("POST", x_ubertruck_colour="green")).by for _ in range(10)}
        assert seen == {"quick-green-1"}
        others = {(await caller.call()).by.rpartition("-")[0] for _ in range(30)}
    assert others == {"quick-blue"}


async def test_processes_come_and_go(plane: RunningPlane, processes: Fleet) -> None:
    with ExitStack() as held:
        fourth = instance(
            held, "quick-blue-4", "quick-service-blue", processes["quick-blue-4"].port
        )
        everybody = plane.plane.instances
        async with quick(plane) as caller:
            came_and_went = asyncio.Event()

            async def meanwhile() -> Counter[str]:
                found: Counter[str] = Counter()
                while not came_and_went.is_set():
                    found += await caller.steadily(300, 0.3)
                return found

            load = asyncio.create_task(meanwhile())
            await asyncio.to_thread(plane.change, instances=(*everybody, fourth))
            fourth_works = processes["quick-blue-4"].seen.total
            await asyncio.to_thread(eventually, lambda: fourth_works() > 0)
            await asyncio.to_thread(plane.change, instances=everybody)
            await asyncio.sleep(0.3)
            came_and_went.set()
            found = await load
        assert not {"dropped", "503"} & set(found)


async def test_a_get_is_tried_again_elsewhere(plane: RunningPlane) -> None:
    plane.fleet["quick-blue-1"].behaviour = status(503)
    async with quick(plane) as caller:
        answers = [await caller.call(path=f"/{number}") for number in range(12)]
    assert {answered.status for answered in answers} == {200}
    assert plane.fleet["quick-blue-1"].seen.total() > 0


@pytest.mark.parametrize("behaviour", [status(503), hangs_up])
async def test_a_post_without_a_key_arrives_once(plane: RunningPlane, behaviour: object) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = behaviour  # pyright: ignore[reportAttributeAccessIssue]
    async with quick(plane) as caller:
        for number in range(4):
            assert (await caller.call("POST", f"/{number}")).status == 503
    assert [plane.fleet.total("POST", f"/{number}") for number in range(4)] == [1] * 4


async def test_attempts_are_bounded(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = status(503)
    async with quick(plane) as caller:
        assert (await caller.call("GET", "/read")).status == 503
        assert (await caller.call("POST", "/keyed", idempotency_key="1")).status == 503
        assert (await caller.call("GET", "/stream/1")).status == 503
        assert (await caller.call("PUT", "/other")).status == 503
    # One hop repeats, the other never does, so that tries don't multiply.
    assert plane.fleet.total("GET", "/read") == 1 + 3
    assert plane.fleet.total("POST", "/keyed") == 1 + 1
    assert plane.fleet.total("GET", "/stream/1") == 1
    assert plane.fleet.total("PUT", "/other") == 1


async def test_other_errors_are_not_repeated(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = status(500)
    async with quick(plane) as caller:
        assert (await caller.call("GET", "/500")).status == 500
    assert plane.fleet.total("GET", "/500") == 1


async def test_all_attempts_end_within_the_time_of_the_route(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = slow(5)
    async with quick(plane) as caller:
        began = time.monotonic()
        assert is_problem(await caller.call("GET", "/slow"), 504)
        assert 2.9 < time.monotonic() - began < 8
    assert 2 <= plane.fleet.total("GET", "/slow") <= 4


@pytest.mark.nightly
async def test_all_attempts_end_within_the_specified_30_seconds(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = slow(60)
    async with plane.caller(BOOKING) as caller:
        began = time.monotonic()
        assert is_problem(await caller.call("GET", "/slow"), 504)
        assert 29 < time.monotonic() - began < 40
    assert 3 <= plane.fleet.total("GET", "/slow") <= 4


async def test_a_stream_may_last_longer(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = slow(3.3)
    async with quick(plane) as caller:
        assert (await caller.call("GET", "/stream/1")).status == 200


async def test_more_than_the_pool_takes_is_a_problem_and_passes(plane: RunningPlane) -> None:
    process = plane.fleet["payment-blue-1"]
    release = threading.Event()
    process.behaviour = until(release)
    async with plane.caller("payment-service") as caller, asyncio.TaskGroup() as group:
        # One after the other: who waits for a connection to open is pending too.
        busy = [group.create_task(caller.call("POST")) for _ in range(5)]
        while process.at_once < 100:
            if process.at_once == len(busy):
                busy += [group.create_task(caller.call("POST")) for _ in range(5)]
            await asyncio.sleep(0.001)
        pending = [group.create_task(caller.call("POST")) for _ in range(10)]
        waiting = f"cluster.{PAY}.upstream_rq_pending_active"
        await asyncio.to_thread(eventually, lambda: plane.stat(waiting) == 10)
        for answered in [await caller.call("POST") for _ in range(20)]:
            assert is_problem(answered, 503)
            assert answered.headers["retry-after"] == "1"
        assert process.at_once == process.most_at_once == 100
        release.set()
        assert {(await one).status for one in (*busy, *pending)} == {200}
        assert {(await caller.call("POST")).status for _ in range(20)} == {200}
    assert process.most_at_once == 100


async def test_only_backends_can_be_called(plane: RunningPlane) -> None:
    port = plane.plane.egress[CALLER].port
    for host in ("other.ubertruck.local:8080", "quick-service.ubertruck.local:80", "127.0.0.1"):
        async with Caller(port, host) as caller:
            assert is_problem(await caller.call(), 404)


async def test_a_process_that_is_away_is_a_problem(plane: RunningPlane, processes: Fleet) -> None:
    everybody = plane.plane.instances
    nobody = tuple(one for one in everybody if one.node != "payment-service-blue")
    await asyncio.to_thread(plane.change, instances=nobody)
    async with plane.caller("payment-service") as caller:
        answered = await caller.call("POST")
        assert is_problem(answered, 503)
        await asyncio.to_thread(plane.change, instances=everybody)
        assert (await caller.call("POST")).status == 200


async def test_the_caller_cannot_steer_the_mesh(plane: RunningPlane) -> None:
    plane.fleet["payment-blue-1"].behaviour = status(503)
    async with plane.caller("payment-service") as caller:
        orders = {"x_envoy_retry_on": "5xx", "x_envoy_max_retries": "5"}
        assert (await caller.call("POST", "/orders", **orders)).status == 503
    assert plane.fleet.total("POST", "/orders") == 1


def test_nothing_was_complained_about(shared: RunningPlane) -> None:
    lines = (shared.plane.folder / "envoy.log").read_text().splitlines()
    assert [line for line in lines if "Sum of weights" not in line] == []
