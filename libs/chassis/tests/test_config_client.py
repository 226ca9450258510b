import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from chassis.canonical import checksum
from chassis.client_credentials import TokenUnavailable
from chassis.config_cache import ConfigCache
from chassis.config_client import ConfigClient, ConfigurationUnavailable, TokenProvider

PATH = "pricing"


class FakeConfigService:
    """Answers as config-service does, from a dictionary, or not at all."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[int, Any]] = {}
        self.down = False
        self.status = 200
        self.damage: dict[str, object] = {}
        self.requests: list[httpx.Request] = []

    def put(self, path: str, data: Any) -> None:
        version = self.values[path][0] + 1 if path in self.values else 1
        self.values[path] = (version, data)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.down:
            raise httpx.ConnectError("refused")
        if self.status != 200:
            return httpx.Response(self.status)
        found = self.values.get(request.url.path.removeprefix("/v1/config/booking/dev/"))
        if found is None:
            return httpx.Response(404)
        version, data = found
        tag = f'"{version}-{checksum(data)}"'
        if request.headers.get("if-none-match") == tag:
            return httpx.Response(304)
        document: dict[str, object] = {
            "data": data,
            "version": str(version),
            "last_modified": datetime(2026, 11, 24, tzinfo=UTC).isoformat(),
            "checksum": checksum(data),
        }
        return httpx.Response(200, json=document | self.damage, headers={"etag": tag})


@pytest.fixture
def server() -> FakeConfigService:
    server = FakeConfigService()
    server.put(PATH, {"base_rate": 150})
    return server


async def give_token() -> str:
    return "a-token"


def a_client(
    server: Callable[[httpx.Request], Coroutine[None, None, httpx.Response]],
    folder: Path,
    token: TokenProvider = give_token,
) -> ConfigClient:
    return ConfigClient(
        "http://config-service/",
        service="booking",
        environment="dev",
        token=token,
        cache_dir=folder,
        refresh_seconds=0.01,
        transport=httpx.MockTransport(server),
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def failures(reason: str, path: str = PATH) -> float:
    labels = {"path": path, "reason": reason}
    return REGISTRY.get_sample_value("config_refresh_failures_total", labels) or 0


@pytest.fixture
async def client(server: FakeConfigService, tmp_path: Path) -> AsyncGenerator[ConfigClient]:
    async with a_client(server, tmp_path).running(PATH) as client:
        yield client


async def test_value_is_there_after_start(client: ConfigClient) -> None:
    value = client.get(PATH)
    assert value.data == {"base_rate": 150}
    assert value.version == 1
    assert value.checksum == checksum({"base_rate": 150})
    assert value.last_modified == datetime(2026, 11, 24, tzinfo=UTC)


async def test_asks_for_service_environment_and_path_with_a_token(
    client: ConfigClient, server: FakeConfigService
) -> None:
    first = server.requests[0]
    assert str(first.url) == "http://config-service/v1/config/booking/dev/pricing"
    assert first.headers["authorization"] == "Bearer a-token"
    assert "if-none-match" not in first.headers


async def test_change_arrives_in_the_background(
    client: ConfigClient, server: FakeConfigService
) -> None:
    server.put(PATH, {"base_rate": 200})
    await until(lambda: client.get(PATH).version == 2)
    assert client.get(PATH).data == {"base_rate": 200}


async def test_unchanged_value_is_not_sent_again(
    client: ConfigClient, server: FakeConfigService, tmp_path: Path
) -> None:
    await until(lambda: len(server.requests) > 3)
    assert server.requests[-1].headers["if-none-match"] == f'"1-{checksum({"base_rate": 150})}"'
    assert client.get(PATH).version == 1


async def test_serves_the_last_good_value_while_config_service_is_down(
    client: ConfigClient, server: FakeConfigService
) -> None:
    server.down = True
    before = failures("unreachable")
    await until(lambda: failures("unreachable") > before + 1)
    assert client.get(PATH).data == {"base_rate": 150}
    server.put(PATH, {"base_rate": 300})
    server.down = False
    await until(lambda: client.get(PATH).version == 2)


async def test_starts_with_the_last_good_value_while_config_service_is_down(
    server: FakeConfigService, tmp_path: Path
) -> None:
    async with a_client(server, tmp_path).running(PATH):
        pass
    server.down = True
    async with a_client(server, tmp_path).running(PATH) as restarted:
        assert restarted.get(PATH).data == {"base_rate": 150}
        assert restarted.get(PATH).version == 1


async def test_first_request_after_a_restart_is_conditional(
    server: FakeConfigService, tmp_path: Path
) -> None:
    async with a_client(server, tmp_path).running(PATH):
        pass
    server.requests.clear()
    async with a_client(server, tmp_path).running(PATH) as restarted:
        assert "if-none-match" in server.requests[0].headers
        assert restarted.get(PATH).version == 1


async def test_starts_without_any_value_and_takes_it_when_it_comes(
    server: FakeConfigService, tmp_path: Path
) -> None:
    server.down = True
    async with a_client(server, tmp_path).running(PATH) as client:
        with pytest.raises(ConfigurationUnavailable) as refused:
            client.get(PATH)
        assert refused.value.status == 503
        server.down = False
        await until(lambda: _has(client))


async def test_a_server_that_hangs_does_not_hold_up_the_start(
    server: FakeConfigService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_client(server, tmp_path).running(PATH):
        pass
    monkeypatch.setattr("chassis.config_client.REQUEST_SECONDS", 0.05)

    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with a_client(hang, tmp_path).running(PATH) as client:
        assert client.get(PATH).version == 1


async def test_path_that_was_not_asked_for_is_a_mistake(client: ConfigClient) -> None:
    with pytest.raises(KeyError):
        client.get("limits")


async def test_a_missing_path_does_not_keep_others_from_coming(
    server: FakeConfigService, tmp_path: Path
) -> None:
    async with a_client(server, tmp_path).running("nowhere", PATH) as client:
        assert client.get(PATH).version == 1
        with pytest.raises(ConfigurationUnavailable):
            client.get("nowhere")


async def test_deleted_configuration_keeps_its_last_good_value(
    client: ConfigClient, server: FakeConfigService
) -> None:
    server.values.clear()
    before = failures("missing")
    await until(lambda: failures("missing") > before)
    assert client.get(PATH).data == {"base_rate": 150}


@pytest.mark.parametrize(
    "damage",
    [
        {"data": {"base_rate": 1}},
        {"checksum": "0" * 64},
        {"version": "new"},
        {"data": {"base_rate": 2**60}},
        {"last_modified": None},
        {"data": []},
    ],
)
async def test_damaged_answer_is_not_taken(
    client: ConfigClient, server: FakeConfigService, damage: dict[str, object]
) -> None:
    server.damage = damage
    server.put(PATH, {"base_rate": 999})
    before = failures("damaged")
    await until(lambda: failures("damaged") > before)
    assert client.get(PATH).data == {"base_rate": 150}


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, 302])
async def test_refusal_is_not_an_answer(
    client: ConfigClient, server: FakeConfigService, status: int
) -> None:
    server.status = status
    before = failures("refused")
    await until(lambda: failures("refused") > before)
    assert client.get(PATH).version == 1


async def test_lives_through_a_token_that_is_not_to_be_had(
    server: FakeConfigService, tmp_path: Path
) -> None:
    troubles: list[Exception] = [TokenUnavailable(), ValueError("anything else")]

    async def give_late() -> str:
        if troubles:
            raise troubles.pop()
        return "a-token"

    async with a_client(server, tmp_path, give_late).running(PATH) as client:
        await until(lambda: _has(client))
    assert failures("no-token") >= 1
    assert failures("unforeseen") >= 1


async def test_failure_is_logged_once_and_recovery_is_said(
    client: ConfigClient, server: FakeConfigService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chassis.config_client"):
        server.down = True
        before = failures("unreachable")
        await until(lambda: failures("unreachable") > before + 2)
        server.down = False
        await until(lambda: "configuration is refreshed again" in caplog.messages)
    assert caplog.messages.count("configuration not refreshed") == 1


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
        assert _has(client)


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


def _has(client: ConfigClient) -> bool:
    try:
        client.get(PATH)
    except ConfigurationUnavailable:
        return False
    return True


async def _keep(server: FakeConfigService, folder: Path) -> Path:
    async with a_client(server, folder).running(PATH):
        pass
    return ConfigCache(folder, service="booking", environment="dev").file(PATH)
