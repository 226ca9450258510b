import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from .fleet import Fleet, fleet
from .gateway import Gateway, describe, eventually, running
from .keys import SigningKey, key_set, signing_key
from .planes import INSTANCES, RunningPlane, quick, running_plane
from .rendered import platform
from .stub import Stub


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return signing_key("first")


@pytest.fixture(scope="module")
def issuer(key: SigningKey) -> Iterator[Stub]:
    with Stub(key_set(key)) as stub:
        yield stub


@pytest.fixture(scope="module")
def service() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def gateway(folder: Path, service: Stub, issuer: Stub, key: SigningKey) -> Iterator[Gateway]:
    """One for all tests of a module that need nothing special."""
    with running(describe(folder, service, issuer), jwks=key_set(key)) as started:
        yield started


@pytest.fixture(scope="module")
def processes() -> Iterator[Fleet]:
    """Every process of the plane, and one that isn't in it."""
    with fleet(*INSTANCES, "quick-blue-4") as started:
        yield started


@pytest.fixture(scope="module")
def shared(processes: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    """What the charts render, running."""
    with running_plane(tmp_path_factory.mktemp("plane"), platform(), processes) as started:
        yield started


@pytest.fixture
async def plane(shared: RunningPlane) -> AsyncGenerator[RunningPlane]:
    """As after its start: nobody is ejected or near to it, nothing is counted."""
    slots = [f"egress_edge_quick-service-{colour}" for colour in ("blue", "green")]
    eventually(lambda: not any(shared.ejected(slot) for slot in slots))
    shared.fleet.forget()
    processes = [shared.fleet[name] for name in INSTANCES if name.startswith("quick")]
    async with quick(shared) as caller:
        async with asyncio.timeout(10):
            while not all(process.seen for process in processes):
                assert (await caller.call()).status == 200
    shared.fleet.forget()
    original = shared.plane
    yield shared
    if shared.plane != original:
        shared.change(manifests=original.manifests, instances=original.instances)
