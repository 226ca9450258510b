"""App Mesh manifests on a real Envoy: each behaviour by what callers and processes see of it."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .fleet import Fleet, fine, fleet, hangs_up, slow, status, until
from .gateway import eventually
from .planes import INSTANCES, RunningPlane, instance, running_plane
from .problem import BASE
from .shop import shop
from .wire import Answered, Caller

STOCK = "egress_front_stock-blue"
PAY = "ingress_pay-blue-1"


@pytest.fixture(scope="module")
def processes() -> Generator[Fleet]:
    with fleet(*INSTANCES, "stock-blue-4") as started:
        yield started


@pytest.fixture(scope="module")
def shared(processes: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("plane"), shop(), processes) as started:
        yield started


@pytest.fixture
async def plane(shared: RunningPlane) -> AsyncGenerator[RunningPlane]:
    """As after its start: nobody is ejected or near to it, nothing is counted."""
    eventually(lambda: not shared.ejected(STOCK))
    shared.fleet.forget()
    stocks = [shared.fleet[name] for name in INSTANCES if name.startswith("stock")]
    async with stock(shared) as caller:
        while not all(process.seen for process in stocks):
            assert (await caller.call()).status == 200
    shared.fleet.forget()
    original = shared.plane
    yield shared
    if shared.plane != original:
        shared.change(manifests=original.manifests, instances=original.instances)


def stock(plane: RunningPlane) -> Caller:
    return plane.caller("stock-service")


def is_problem(answered: Answered, code: int) -> bool:
    return (
        answered.status == code
        and answered.headers["content-type"] == "application/problem+json"
        and BASE.encode() in answered.body
    )


@pytest.mark.long
async def test_requests_are_divided_by_weight(plane: RunningPlane) -> None:
    number = 20_000
    async with stock(plane) as caller:
        found = await caller.many(number)
    assert sum(found.values()) == number
    assert set(found) == {name for name in INSTANCES if name.startswith("stock")}
    # The 99.9 % interval of a binomial: 3.29 standard deviations to both sides.
    deviation = (number * 0.1 * 0.9) ** 0.5
    assert abs(found["stock-green-1"] - 0.1 * number) <= 3.2905 * deviation


async def test_other_weights_drop_nothing(plane: RunningPlane) -> None:
    async with stock(plane) as caller:
        load = asyncio.create_task(caller.steadily(500, 2.5))
        for green in (1, 25, 50, 100, 0):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(plane.set_weights, blue=100 - green, green=green)
        found = await load
        assert {name[:-2] for name in found} == {"stock-blue", "stock-green"}, found
        assert sum(found.values()) == 1250
        plane.fleet.forget()
        await caller.many(400)
    assert plane.fleet["stock-green-1"].seen.total() == 0


async def test_weights_that_envoy_refuses_change_nothing(plane: RunningPlane) -> None:
    path = plane.plane.routes_file("front")
    good = path.read_text()
    broken = path.with_suffix(".new")
    broken.write_text(good.replace('"weight": 90', '"weight": 0').replace(": 10\n", ": 0\n"))
    rejected = "http.egress_front.rds.front.update_rejected"
    before = plane.stat(rejected)
    broken.rename(path)
    await asyncio.to_thread(eventually, lambda: plane.stat(rejected) > before)
    async with stock(plane) as caller:
        assert (await caller.call()).status == 200
    broken.write_text(good)
    broken.rename(path)


async def test_an_operator_sees_a_colour_whatever_its_weight(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, blue=100, green=0)
    async with stock(plane) as caller:
        seen = {(await caller.call("POST", x_shop_colour="green")).by for _ in range(10)}
        assert seen == {"stock-green-1"}
        others = {(await caller.call()).by.rpartition("-")[0] for _ in range(30)}
    assert others == {"stock-blue"}


async def test_processes_come_and_go(plane: RunningPlane, processes: Fleet) -> None:
    with ExitStack() as held:
        fourth = instance(held, "stock-blue-4", "stock-blue", processes["stock-blue-4"].port)
        everybody = plane.plane.instances
        async with stock(plane) as caller:
            load = asyncio.create_task(caller.steadily(300, 1.5))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(plane.change, instances=(*everybody, fourth))
            fourth_works = processes["stock-blue-4"].seen.total
            await asyncio.to_thread(eventually, lambda: fourth_works() > 0)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(plane.change, instances=everybody)
            found = await load
        assert not {"dropped", "503"} & set(found)


async def test_a_get_is_tried_again_elsewhere(plane: RunningPlane) -> None:
    plane.fleet["stock-blue-1"].behaviour = status(503)
    async with stock(plane) as caller:
        answers = [await caller.call(path=f"/{number}") for number in range(12)]
    assert {answered.status for answered in answers} == {200}
    assert plane.fleet["stock-blue-1"].seen.total() > 0


@pytest.mark.parametrize("behaviour", [status(503), hangs_up])
async def test_a_post_without_a_key_arrives_once(plane: RunningPlane, behaviour: object) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = behaviour  # pyright: ignore[reportAttributeAccessIssue]
    async with stock(plane) as caller:
        for number in range(4):
            assert (await caller.call("POST", f"/{number}")).status == 503
    assert [plane.fleet.total("POST", f"/{number}") for number in range(4)] == [1] * 4


async def test_attempts_are_bounded(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = status(503)
    async with stock(plane) as caller:
        assert (await caller.call("GET", "/read")).status == 503
        assert (await caller.call("POST", "/keyed", idempotency_key="1")).status == 503
        assert (await caller.call("GET", "/stream/1")).status == 503
        assert (await caller.call("PUT", "/other")).status == 503
    # One hop repeats, the other never does, so that tries don't multiply.
    assert plane.fleet.total("GET", "/read") == 1 + 3
    assert plane.fleet.total("POST", "/keyed") == 1 + 3
    assert plane.fleet.total("GET", "/stream/1") == 1
    assert plane.fleet.total("PUT", "/other") == 1


async def test_other_errors_are_not_repeated(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = status(500)
    async with stock(plane) as caller:
        assert (await caller.call("GET", "/500")).status == 500
    assert plane.fleet.total("GET", "/500") == 1


async def test_all_attempts_end_within_the_time_of_the_route(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = slow(5)
    async with stock(plane) as caller:
        began = time.monotonic()
        assert is_problem(await caller.call("GET", "/hasty"), 504)
        assert 0.9 < time.monotonic() - began < 1.9
    assert 2 <= plane.fleet.total("GET", "/hasty") <= 4


async def test_a_stream_may_last_longer(plane: RunningPlane) -> None:
    for process in plane.fleet.processes.values():
        process.behaviour = slow(1.2)
    async with stock(plane) as caller:
        assert (await caller.call("GET", "/stream/1")).status == 200


async def test_more_than_the_pool_takes_is_a_problem_and_passes(plane: RunningPlane) -> None:
    process = plane.fleet["pay-blue-1"]
    release = threading.Event()
    process.behaviour = until(release)
    async with plane.caller("pay-service") as caller, asyncio.TaskGroup() as group:
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


async def test_the_fifth_error_in_a_row_ejects(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, blue=100, green=0)
    ill = plane.fleet["stock-blue-2"]
    ill.behaviour = status(500)
    async with stock(plane) as caller:
        while ill.seen.total() < 4:
            await caller.call("POST")
        assert plane.ejected(STOCK) == set()
        while ill.seen.total() < 5:
            await caller.call("POST")
        ejected_at = time.monotonic()
        assert plane.ejected(STOCK) == {ingress_port(plane, "stock-blue-2")}
        answers = [await caller.call("POST") for _ in range(30)]
        assert {answered.status for answered in answers} == {200}
        assert ill.seen.total() == 5
        ill.behaviour = fine
        await asyncio.to_thread(eventually, lambda: not plane.ejected(STOCK))
        assert 0.7 < time.monotonic() - ejected_at < 2.5
        while (await caller.call("POST")).by != "stock-blue-2":
            assert time.monotonic() - ejected_at < 5


async def test_never_more_than_half_are_ejected(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, blue=100, green=0)
    for number in (1, 2, 3):
        plane.fleet[f"stock-blue-{number}"].behaviour = status(500)
    async with stock(plane) as caller:
        for _ in range(60):
            assert (await caller.call("POST")).status == 500
            assert len(plane.ejected(STOCK)) <= 1
    assert plane.stat(f"cluster.{STOCK}.outlier_detection.ejections_overflow") > 0


async def test_a_single_endpoint_is_ejected_in_name_and_goes_on_serving(
    plane: RunningPlane,
) -> None:
    await asyncio.to_thread(plane.set_weights, blue=0, green=100)
    only = plane.fleet["stock-green-1"]
    only.behaviour = status(500)
    async with stock(plane) as caller:
        for _ in range(5):
            await caller.call("POST")
        cluster = "egress_front_stock-green"
        assert plane.ejected(cluster) == {ingress_port(plane, "stock-green-1")}
        only.behaviour = fine
        assert (await caller.call("POST")).status == 200
        assert plane.stat(f"cluster.{cluster}.lb_healthy_panic") > 0
        await asyncio.to_thread(eventually, lambda: not plane.ejected(cluster))


async def test_only_backends_can_be_called(plane: RunningPlane) -> None:
    port = plane.plane.egress["front"].port
    for host in ("other.shop.local:8080", "stock-service.shop.local:80", "127.0.0.1"):
        async with Caller(port, host) as caller:
            assert is_problem(await caller.call(), 404)


async def test_a_process_that_is_away_is_a_problem(plane: RunningPlane, processes: Fleet) -> None:
    everybody = plane.plane.instances
    nobody = tuple(one for one in everybody if one.node != "pay-blue")
    await asyncio.to_thread(plane.change, instances=nobody)
    async with plane.caller("pay-service") as caller:
        answered = await caller.call("POST")
        assert is_problem(answered, 503)
        await asyncio.to_thread(plane.change, instances=everybody)
        assert (await caller.call("POST")).status == 200


async def test_the_caller_cannot_steer_the_mesh(plane: RunningPlane) -> None:
    plane.fleet["pay-blue-1"].behaviour = status(503)
    async with plane.caller("pay-service") as caller:
        orders = {"x_envoy_retry_on": "5xx", "x_envoy_max_retries": "5"}
        assert (await caller.call("POST", "/orders", **orders)).status == 503
    assert plane.fleet.total("POST", "/orders") == 1


def test_nothing_was_complained_about(shared: RunningPlane) -> None:
    lines = (shared.plane.folder / "envoy.log").read_text().splitlines()
    assert [line for line in lines if "Sum of weights" not in line] == []


def ingress_port(plane: RunningPlane, name: str) -> int:
    (found,) = (one for one in plane.plane.instances if one.name == name)
    return found.ingress.port


@pytest.mark.nightly
async def test_an_ejection_lasts_as_long_as_the_manifest_says(
    processes: Fleet, tmp_path: Path
) -> None:
    full = {"{unit: ms, value: 200}": "{unit: s, value: 30}"}
    full |= {"{unit: ms, value: 800}": "{unit: s, value: 30}"}
    with running_plane(tmp_path, shop(full), processes) as plane:
        plane.fleet.forget()
        plane.set_weights(blue=100, green=0)
        ill = plane.fleet["stock-blue-2"]
        ill.behaviour = status(500)
        async with stock(plane) as caller:
            while ill.seen.total() < 5:
                await caller.call("POST")
            began = time.monotonic()
            ill.behaviour = fine
            while plane.ejected(STOCK):
                assert (await caller.call("POST")).by != "stock-blue-2"
                await asyncio.sleep(0.2)
        # Envoy looks every `interval` whether the time is over.
        assert 30 <= time.monotonic() - began < 62
