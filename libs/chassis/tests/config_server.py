"""config-service as the client's tests meet it."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import REGISTRY

from chassis.canonical import checksum
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
        self.put(PATH, {"base_rate": 150})

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


def has(client: ConfigClient) -> bool:
    try:
        client.get(PATH)
    except ConfigurationUnavailable:
        return False
    return True
