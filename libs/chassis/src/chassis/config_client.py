"""Configuration from config-service: the last good value, at hand at once, whatever is down.

Values live in memory, are refreshed in the background by entity tag, and are kept on disk, so that
a process that starts while config-service is away begins with what was good before. Nothing here
blocks a request, and readiness doesn't depend on it.

    client = ConfigClient(url, service="booking", environment="dev", token=..., cache_dir=...)
    async with client.running("pricing"):
        client.get("pricing").data["base_rate"]

A configuration that was deleted keeps its last good value here, with a log line and a failure
counted: taking fares away from a running service does more harm than old ones. What must stop
applying is written as such, not deleted.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from random import SystemRandom

import httpx
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from chassis.config_cache import ConfigCache, ConfigValue, Kept
from chassis.errors import DomainError, Unavailable
from chassis.worker import retry_delay

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 10.0
REQUEST_SECONDS = 3.0
_JITTER = 0.1
_random = SystemRandom()

CONFIRMED = Gauge(
    "config_confirmed_timestamp_seconds",
    "When config-service last said that the value in use is right",
    ["path"],
)
VERSION = Gauge("config_version", "The version in use", ["path"])
FAILURES = Counter("config_refresh_failures_total", "Refreshes that failed", ["path", "reason"])

TokenProvider = Callable[[], Awaitable[str]]


class ConfigurationUnavailable(Unavailable):
    """There was never a value: config-service has not answered yet, and none was on disk."""

    type = "configuration-unavailable"
    title = "Configuration is not available yet"


class _RefreshFailed(Exception):
    """Why a refresh brought nothing, in one word."""


@dataclass(slots=True)
class _Entry:
    path: str
    kept: Kept | None = None
    saved: bool = True
    failures: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)


class ConfigClient:
    """Values of one service in one environment. Made once a process."""

    def __init__(
        self,
        base_url: str,
        *,
        service: str,
        environment: str,
        token: TokenProvider,
        cache_dir: Path,
        refresh_seconds: float = REFRESH_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`token` gives a bearer token that may read configuration; it is asked at each refresh.

        `transport` stands in for the network in tests.
        """
        self._url = f"{base_url.rstrip('/')}/v1/config/{service}/{environment}/"
        self._service = service
        self._environment = environment
        self._token = token
        self._cache = ConfigCache(cache_dir, service=service, environment=environment)
        self._refresh_seconds = refresh_seconds
        self._transport = transport
        self._entries: dict[str, _Entry] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._http: httpx.AsyncClient | None = None

    def get(self, path: str) -> ConfigValue:
        """The value in use, without waiting; raises `ConfigurationUnavailable` if there is none.

        Raises KeyError for a path that `start` wasn't told of.
        """
        kept = self._entries[path].kept
        if kept is None:
            raise ConfigurationUnavailable
        return kept.value

    @asynccontextmanager
    async def running(self, *paths: str) -> AsyncGenerator["ConfigClient"]:
        """Started for these paths, and stopped at the end."""
        await self.start(paths)
        try:
            yield self
        finally:
            await self.stop()

    async def start(self, paths: Iterable[str]) -> None:
        """Take what is on disk, ask config-service once, and go on asking in the background.

        Waits for the first answer, but no longer than `REQUEST_SECONDS`, and never fails.
        """
        self._http = httpx.AsyncClient(transport=self._transport, timeout=REQUEST_SECONDS)
        for path in paths:
            kept = await asyncio.to_thread(self._cache.load, path)
            self._entries[path] = _Entry(path, kept)
            if kept is not None:
                _publish(kept)
        for entry in self._entries.values():
            work = self._keep_fresh(self._http, entry)
            self._tasks.append(asyncio.create_task(work, name=f"config {entry.path}"))
        with suppress(TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                for entry in self._entries.values():
                    await entry.asked.wait()

    async def stop(self) -> None:
        """End the refreshes; the values stay readable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._http is not None:
            await self._http.aclose()

    async def _keep_fresh(self, http: httpx.AsyncClient, entry: _Entry) -> None:
        while True:
            await self._refresh(http, entry)
            entry.asked.set()
            await asyncio.sleep(self._pause(entry))

    def _pause(self, entry: _Entry) -> float:
        if entry.failures:
            return min(retry_delay(entry.failures), self._refresh_seconds)
        # Spread, so that processes started together don't ask together.
        return self._refresh_seconds * _random.uniform(1 - _JITTER, 1 + _JITTER)

    async def _refresh(self, http: httpx.AsyncClient, entry: _Entry) -> None:
        try:
            kept = await self._fetch(http, entry)
        except _RefreshFailed as failure:
            _note_failure(entry, str(failure))
            return
        except Exception:  # the token provider is the caller's and may raise anything
            # A refresh that ended would leave this process with an old configuration until
            # somebody restarts it.
            logger.exception("configuration refresh broke", extra={"path": entry.path})
            _note_failure(entry, "unforeseen")
            return
        if entry.failures:
            logger.info("configuration is refreshed again", extra={"path": entry.path})
        entry.failures = 0
        if entry.kept is None or kept.value != entry.kept.value:
            entry.saved = False
            logger.info(
                "configuration taken", extra={"path": entry.path, "version": kept.value.version}
            )
        entry.kept = kept
        _publish(kept)
        await self._save(entry, kept)

    async def _fetch(self, http: httpx.AsyncClient, entry: _Entry) -> Kept:
        answer = await self._ask(http, entry)
        now = datetime.now(UTC)
        match answer.status_code:
            case HTTPStatus.OK:
                return self._read(entry, answer, now)
            case HTTPStatus.NOT_MODIFIED if entry.kept is not None:
                return entry.kept.model_copy(update={"confirmed_at": now})
            case HTTPStatus.NOT_FOUND:
                raise _RefreshFailed("missing")
            case _:
                raise _RefreshFailed("refused")

    async def _ask(self, http: httpx.AsyncClient, entry: _Entry) -> httpx.Response:
        try:
            headers = {"Authorization": f"Bearer {await self._token()}"}
            if entry.kept is not None and entry.kept.etag is not None:
                headers["If-None-Match"] = entry.kept.etag
            return await http.get(self._url + entry.path, headers=headers)
        except DomainError as error:
            raise _RefreshFailed("no-token") from error
        except httpx.HTTPError as error:
            raise _RefreshFailed("unreachable") from error

    def _read(self, entry: _Entry, answer: httpx.Response, now: datetime) -> Kept:
        try:
            value = ConfigValue.model_validate_json(answer.content)
        except ValidationError as error:
            raise _RefreshFailed("damaged") from error
        return Kept(
            service=self._service,
            environment=self._environment,
            path=entry.path,
            etag=answer.headers.get("etag"),
            confirmed_at=now,
            value=value,
        )

    async def _save(self, entry: _Entry, kept: Kept) -> None:
        if entry.saved:
            return
        try:
            await asyncio.to_thread(self._cache.save, kept)
        except OSError as error:
            # The value is in use all the same; the next refresh tries again.
            logger.warning("configuration not kept", extra={"path": entry.path}, exc_info=error)
            FAILURES.labels(entry.path, "not-kept").inc()
        else:
            entry.saved = True


def _note_failure(entry: _Entry, reason: str) -> None:
    FAILURES.labels(entry.path, reason).inc()
    if entry.failures == 0:
        logger.warning("configuration not refreshed", extra={"path": entry.path, "reason": reason})
    entry.failures += 1


def _publish(kept: Kept) -> None:
    CONFIRMED.labels(kept.path).set(kept.confirmed_at.timestamp())
    VERSION.labels(kept.path).set(kept.value.version)
