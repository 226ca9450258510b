"""The laptop as a site: real processes in slots behind a real Envoy, by the control socket."""

import asyncio
from pathlib import Path

import pytest

from ops import control
from ops.errors import OpsError
from ops.rollout.laptop import LaptopSite
from ops.rollout.ports import Colour, Targets
from ops.state import StateFolder
from ops.versions import read_actives

from .small import SERVICE, small_laptop
from .tiny import version

BLUE, GREEN = Colour.BLUE, Colour.GREEN


async def test_a_version_comes_up_gets_requests_and_becomes_the_active_one(tmp_path: Path) -> None:
    old, new = version(tmp_path, "old"), version(tmp_path, "new")
    async with small_laptop(tmp_path, old) as small:
        site, users, operator = small.site, small.caller(), small.caller("green")
        assert await site.active(SERVICE) is BLUE
        assert await site.version(SERVICE, GREEN) is None
        await site.bring_up(SERVICE, GREEN, str(new), replicas=1)
        await site.bring_up(SERVICE, GREEN, str(new), replicas=1)
        assert await site.version(SERVICE, GREEN) == str(new)
        assert await site.targets(SERVICE, GREEN) == Targets(wanted=1, running=1, ready=1)
        assert await users.ask() == "old"
        assert await operator.ask() == "new"
        async with users.asking(300):
            for weight in (10, 50, 100):
                await site.set_weights(SERVICE, {GREEN: weight, BLUE: 100 - weight})
                assert (await site.weights(SERVICE))[GREEN] == weight
                await site.bring_up(SERVICE, GREEN, str(new), replicas=1)
            assert await users.ask() == "new", "it returns when Envoy has it"
            await site.scale(SERVICE, GREEN, 2)
            assert await site.targets(SERVICE, GREEN) == Targets(wanted=2, running=2, ready=2)
            await site.promote(SERVICE, GREEN)
            await site.promote(SERVICE, GREEN)
            await site.retire(SERVICE, BLUE)
            await site.retire(SERVICE, BLUE)
            await site.scale(SERVICE, GREEN, 1)
            await asyncio.sleep(0.1)
        assert users.statuses.keys() == {200}
        assert await site.version(SERVICE, BLUE) is None
        names = set(small.supervisor.processes)
        assert names == {"mesh", "booking-green-1", "booking-green-worker"}
    async with small_laptop(tmp_path, old) as small:
        assert await small.site.active(SERVICE) is GREEN
        assert await small.caller().ask() == "new", "the restarted platform knows what it had"


async def test_what_makes_no_sense_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    old = version(tmp_path, "old")
    async with small_laptop(tmp_path, old) as small:
        site = small.site
        refusals = {
            "booking-service-blue is active": site.bring_up(SERVICE, BLUE, "installed", replicas=1),
            "is active": site.retire(SERVICE, BLUE),
            "Nothing runs in booking-service-green": site.promote(SERVICE, GREEN),
            "Nothing runs in": site.scale(SERVICE, GREEN, 2),
            "neither a folder nor a revision": site.bring_up(
                SERVICE, GREEN, "v0.0-none", replicas=1
            ),
            "neither a folder": site.bring_up(SERVICE, GREEN, "--help", replicas=1),
            "no source of booking in": site.bring_up(SERVICE, GREEN, str(tmp_path), replicas=1),
            "1 to 10 processes": site.scale(SERVICE, BLUE, 99),
            "no service payment": site.scale("payment", BLUE, 1),
            "from 0 to 100": site.set_weights(SERVICE, {BLUE: -1, GREEN: 101}),
        }
        for why, refused in refusals.items():
            with pytest.raises(OpsError, match=why):
                await refused
        with pytest.raises(OpsError, match="can't be asked for so: colour, nonsense"):
            await control.ask(small.folder, "promote", service=SERVICE, nonsense=1)
        assert await site.weights(SERVICE) == {BLUE: 100, GREEN: 0}
        assert await small.caller().ask() == "old"


async def test_a_version_that_does_not_start_says_why_and_hurts_nobody(tmp_path: Path) -> None:
    old = version(tmp_path, "old")
    broken = version(tmp_path, "broken", start="sys.exit('The fuse blew.')")
    async with small_laptop(tmp_path, old) as small:
        with pytest.raises(OpsError, match=r"doesn't run \(exit code 1\): The fuse blew\."):
            await small.site.bring_up(SERVICE, GREEN, str(broken), replicas=1)
        assert (await small.site.targets(SERVICE, GREEN)).ready == 0
        assert await small.caller().ask() == "old"
        assert not small.supervisor.failure.done(), "the platform goes on"
        await small.site.bring_up(SERVICE, GREEN, str(old), replicas=1)
        assert await small.caller("green").ask() == "old", "another version takes its place"


async def test_without_a_platform_it_says_so(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / ".ubertruck")
    with pytest.raises(OpsError, match="isn't running"):
        await LaptopSite(folder).active(SERVICE)
    folder.prepare()
    with pytest.raises(OpsError, match="isn't running"):
        await LaptopSite(folder).active(SERVICE)
    assert read_actives(folder) == {}
