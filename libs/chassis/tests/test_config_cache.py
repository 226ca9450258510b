import asyncio
import json
import os
from pathlib import Path

import pytest

from chassis.config_cache import ConfigCache
from chassis.config_client import ConfigurationUnavailable

from .config_server import PATH, FakeConfigService, a_client, failures, has, until


@pytest.fixture
def server() -> FakeConfigService:
    return FakeConfigService()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff" * 100,
        b"[]",
        b'{"value": {}}',
    ],
)
async def test_damaged_file_is_ignored(
    server: FakeConfigService, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = await _keep(server, tmp_path)
    file.write_bytes(content)
    server.down = True
    async with a_client(server, tmp_path).running(PATH) as client:
        with pytest.raises(ConfigurationUnavailable):
            client.get(PATH)
        assert "kept configuration ignored" in caplog.messages
        server.down = False
        cache = ConfigCache(tmp_path, service="booking", environment="dev")
        await until(lambda: cache.load(PATH) is not None)
        assert has(client)


async def test_file_whose_content_was_changed_is_ignored(
    server: FakeConfigService, tmp_path: Path
) -> None:
    file = await _keep(server, tmp_path)
    document = json.loads(file.read_bytes())
    document["value"]["data"]["base_rate"] = 1
    file.write_text(json.dumps(document))
    server.down = True
    async with a_client(server, tmp_path).running(PATH) as client:
        with pytest.raises(ConfigurationUnavailable):
            client.get(PATH)


async def test_file_of_another_path_is_ignored(server: FakeConfigService, tmp_path: Path) -> None:
    file = await _keep(server, tmp_path)
    cache = ConfigCache(tmp_path, service="booking", environment="dev")
    file.rename(cache.file("limits"))
    assert cache.load("limits") is None


async def test_files_are_for_the_owner_only_and_nothing_else_is_left(
    server: FakeConfigService, tmp_path: Path
) -> None:
    file = await _keep(server, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert names_in(tmp_path) == [file.name]


async def test_paths_and_environments_have_files_of_their_own(tmp_path: Path) -> None:
    dev = ConfigCache(tmp_path, service="booking", environment="dev")
    staging = ConfigCache(tmp_path, service="booking", environment="staging")
    names = [dev.file("a/b"), dev.file("a-b"), staging.file("a/b"), dev.file("x" * 255)]
    assert len(set(names)) == len(names)
    assert max(len(file.name) for file in names) <= 255


async def test_folder_that_cannot_be_written_costs_nothing_but_the_file(
    server: FakeConfigService, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    before = failures("not-kept")
    async with a_client(server, blocked / "cache").running(PATH) as client:
        assert client.get(PATH).version == 1
        assert failures("not-kept") > before
        blocked.unlink()
        cache = ConfigCache(blocked / "cache", service="booking", environment="dev")
        await until(lambda: cache.load(PATH) is not None)


async def test_half_written_file_never_takes_the_place(
    server: FakeConfigService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await _keep(server, tmp_path)
    kept = ConfigCache(tmp_path, service="booking", environment="dev").load(PATH)
    assert kept is not None

    def fail(_handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    cache = ConfigCache(tmp_path, service="booking", environment="dev")
    with pytest.raises(OSError, match="no space"):
        cache.save(kept.model_copy(update={"etag": "another"}))
    assert cache.load(PATH) == kept
    assert names_in(tmp_path) == [file.name]


async def test_two_processes_may_share_the_folder(
    server: FakeConfigService, tmp_path: Path
) -> None:
    async with (
        a_client(server, tmp_path).running(PATH) as api,
        a_client(server, tmp_path).running(PATH) as worker,
    ):
        for rate in range(200, 210):
            server.put(PATH, {"base_rate": rate})
            cache = ConfigCache(tmp_path, service="booking", environment="dev")
            assert cache.load(PATH) is not None
            await asyncio.sleep(0)
        await until(lambda: api.get(PATH).version == worker.get(PATH).version == 11)
    await until(lambda: len(names_in(tmp_path)) == 1)


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def _keep(server: FakeConfigService, folder: Path) -> Path:
    async with a_client(server, folder).running(PATH):
        pass
    return ConfigCache(folder, service="booking", environment="dev").file(PATH)
