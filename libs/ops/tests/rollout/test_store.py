"""A rollout on the disk: changed by whoever saw the latest, driven by one."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.rollout import state
from ops.rollout.store import Conflict, FileStore

from .plans import NOON, rollout_of

DRIVER = """
import asyncio, pathlib, sys, time
from ops.rollout.store import FileStore
async def drive():
    async with FileStore(pathlib.Path(sys.argv[1])).driving():
        print("driving", flush=True)
        time.sleep(1000)
asyncio.run(drive())
"""


async def test_what_was_saved_is_there(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    assert await store.load() is None
    begun = rollout_of()
    await store.save(begun, after=None)
    assert await store.load() == begun
    assert (tmp_path / "rollout.json").stat().st_mode & 0o077 == 0


async def test_of_many_who_change_the_same_one_wins(tmp_path: Path) -> None:
    store, begun = FileStore(tmp_path), rollout_of()
    await store.save(begun, after=None)
    tries = (
        asyncio.to_thread(
            asyncio.run,
            FileStore(tmp_path).save(state.pause(begun, why, NOON, actor="omar"), after=begun),
        )
        for why in "abcdefgh"
    )
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["Conflict"] * 7 + ["NoneType"]


async def test_a_first_rollout_needs_an_empty_place(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.save(rollout_of(), after=None)
    with pytest.raises(Conflict):
        await store.save(rollout_of(), after=None)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\xff"])
async def test_nonsense_is_neither_taken_nor_overwritten(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "rollout.json"
    file.write_bytes(content)
    with pytest.raises(OpsError, match="isn't a rollout that this version understands"):
        await FileStore(tmp_path).save(rollout_of(), after=None)
    assert file.read_bytes() == content


async def test_a_folder_that_is_away_is_said(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="can't be written"):
        await FileStore(tmp_path / "none").save(rollout_of(), after=None)
    with pytest.raises(OpsError, match="can't be written"):
        async with FileStore(tmp_path / "none").driving():
            pass


async def test_one_drives_until_it_is_killed(tmp_path: Path) -> None:
    other = subprocess.Popen(  # noqa: S603, ASYNC220 - our own script, started in no time
        [sys.executable, "-c", DRIVER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    try:
        assert await asyncio.to_thread(other.stdout.readline) == b"driving\n"
        with pytest.raises(OpsError, match="drives the rollout already"):
            async with FileStore(tmp_path).driving():
                pass
    finally:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        other.stdout.close()
    async with FileStore(tmp_path).driving():
        pass
