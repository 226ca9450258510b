import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from chassis.canonical import checksum
from chassis.client_credentials import TokenUnavailable
from chassis.config_client import ConfigClient, ConfigurationUnavailable

from .config_server import PATH, FakeConfigService, a_client, failures, has, until


@pytest.fixture
def server() -> FakeConfigService:
    return FakeConfigService()


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
        await until(lambda: has(client))


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
        await until(lambda: has(client))
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
