"""Endpoints that answer with errors are left out for a while, and come back."""

import asyncio
import time
from pathlib import Path

import pytest

from .fleet import fine, fleet, status
from .gateway import eventually
from .planes import QUICK, RunningPlane, quick, running_plane
from .rendered import platform

BLUE = "egress_edge_quick-service-blue"


async def test_the_fifth_error_in_a_row_ejects(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, QUICK, blue=100, green=0)
    ill = plane.fleet["quick-blue-2"]
    ill.behaviour = status(500)
    async with quick(plane) as caller:
        while ill.seen.total() < 4:
            await caller.call("POST")
        assert plane.ejected(BLUE) == set()
        while ill.seen.total() < 5:
            await caller.call("POST")
        ejected_at = time.monotonic()
        assert plane.ejected(BLUE) == {ingress_port(plane, "quick-blue-2")}
        answers = [await caller.call("POST") for _ in range(30)]
        assert {answered.status for answered in answers} == {200}
        assert ill.seen.total() == 5
        ill.behaviour = fine
        await asyncio.to_thread(eventually, lambda: not plane.ejected(BLUE))
        # Envoy looks every `interval` whether the time is over.
        assert 1 <= time.monotonic() - ejected_at < 5
        while (await caller.call("POST")).by != "quick-blue-2":
            assert time.monotonic() - ejected_at < 10


async def test_never_more_than_half_are_ejected(plane: RunningPlane) -> None:
    await asyncio.to_thread(plane.set_weights, QUICK, blue=100, green=0)
    for number in (1, 2, 3):
        plane.fleet[f"quick-blue-{number}"].behaviour = status(500)
    async with quick(plane) as caller:
        for _ in range(60):
            assert (await caller.call("POST")).status == 500
            assert len(plane.ejected(BLUE)) <= 1
    assert plane.stat(f"cluster.{BLUE}.outlier_detection.ejections_overflow") > 0


async def test_a_single_endpoint_is_ejected_in_name_and_goes_on_serving(
    plane: RunningPlane,
) -> None:
    await asyncio.to_thread(plane.set_weights, QUICK, blue=0, green=100)
    only = plane.fleet["quick-green-1"]
    only.behaviour = status(500)
    async with quick(plane) as caller:
        for _ in range(5):
            await caller.call("POST")
        cluster = "egress_edge_quick-service-green"
        assert plane.ejected(cluster) == {ingress_port(plane, "quick-green-1")}
        only.behaviour = fine
        assert (await caller.call("POST")).status == 200
        assert plane.stat(f"cluster.{cluster}.lb_healthy_panic") > 0
        await asyncio.to_thread(eventually, lambda: not plane.ejected(cluster))


def ingress_port(plane: RunningPlane, name: str) -> int:
    (found,) = (one for one in plane.plane.instances if one.name == name)
    return found.ingress.port


@pytest.mark.nightly
async def test_an_ejection_lasts_the_specified_30_seconds(tmp_path: Path) -> None:
    names = [f"payment-blue-{number}" for number in (1, 2, 3)]
    instances = dict.fromkeys(names, "payment-service-blue")
    with (
        fleet(*names) as processes,
        running_plane(tmp_path, platform(), processes, instances) as plane,
    ):
        cluster = "egress_edge_payment-service-blue"
        ill = processes["payment-blue-2"]
        ill.behaviour = status(500)
        async with plane.caller("payment-service") as caller:
            while ill.seen.total() < 5:
                await caller.call("POST")
            began = time.monotonic()
            assert plane.ejected(cluster) == {ingress_port(plane, ill.name)}
            ill.behaviour = fine
            while plane.ejected(cluster):
                assert (await caller.call("POST")).by != ill.name
                await asyncio.sleep(0.2)
            # Envoy looks every `interval` whether the time is over.
            assert 30 <= time.monotonic() - began < 62
            while (await caller.call("POST")).by != ill.name:
                assert time.monotonic() - began < 70
