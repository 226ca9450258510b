import asyncio
import io
import json
import logging
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.db import DatabaseUnavailable
from chassis.health import Readiness, health_app
from chassis.logs import FLUSH_SECONDS, JsonFormatter, configure_logging
from chassis.settings import ServiceSettings
from chassis.telemetry import (
    TelemetryMiddleware,
    current_trace_id,
    current_traceparent,
    tracer_provider,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"


def settings(**changes: Any) -> ServiceSettings:
    return ServiceSettings(database_url=SecretStr("postgresql+asyncpg://x/y"), **changes)


async def seen_by_a_request(headers: dict[str, str]) -> dict[str, str | None]:
    seen: dict[str, str | None] = {}

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        seen.update(traceparent=current_traceparent(), trace_id=current_trace_id())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await ask(TelemetryMiddleware(app, provider=tracer_provider("t"), ratio=1), "/", headers)
    return seen


async def ask(app: ASGIApp, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


async def test_a_trace_from_outside_is_continued() -> None:
    seen = await seen_by_a_request({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert seen["trace_id"] == TRACE
    assert (seen["traceparent"] or "").startswith(f"00-{TRACE}-")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{TRACE.upper()}-B7AD6B7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
    ],
)
async def test_an_invalid_traceparent_starts_a_new_trace(header: str) -> None:
    seen = await seen_by_a_request({"traceparent": header})
    assert seen["trace_id"] not in (None, TRACE)


def test_outside_a_request_there_is_no_trace() -> None:
    assert current_traceparent() is None
    assert current_trace_id() is None


def test_log_lines_are_json_with_their_facts() -> None:
    output = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        configure_logging(settings(log_format="json"), service="booking", stream=output)
        provider = tracer_provider("t")
        with provider.get_tracer("t").start_as_current_span("work"):
            logging.getLogger("x").info("booked\n%s", "\x1b[31m", extra={"tons": 12})
    finally:
        logging.getLogger().handlers[:] = before
    (line,) = output.getvalue().splitlines()
    document = json.loads(line)
    assert document["message"] == "booked\n\x1b[31m"
    assert (document["service"], document["level"], document["tons"]) == ("booking", "info", 12)
    assert len(document["trace_id"]) == 32


async def test_a_request_is_a_line_like_any_other() -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        logging.getLogger("chassis.telemetry").info("within", extra={"tons": 12})
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    output = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        configure_logging(settings(log_format="json"), service="booking", stream=output)
        await ask(TelemetryMiddleware(app, provider=tracer_provider("t"), ratio=0), "/x")
        await asyncio.sleep(2 * FLUSH_SECONDS)
        logging.getLogger("chassis.telemetry").setLevel(logging.WARNING)
        await ask(TelemetryMiddleware(app, provider=tracer_provider("t"), ratio=0), "/y")
    finally:
        logging.getLogger("chassis.telemetry").setLevel(logging.NOTSET)
        logging.getLogger().handlers[:] = before
    within, line = (json.loads(text) for text in output.getvalue().splitlines())
    facts = {"method": "GET", "route": "unmatched", "status": 204, "ms": line["ms"]}
    assert list(within) == [*list(line)[:6], "tons"]
    within.pop("tons")
    assert line == within | {"time": line["time"], "message": "request"} | facts
    assert line["time"] >= within["time"]


def test_an_exception_is_part_of_its_line() -> None:
    formatter = JsonFormatter("booking")
    try:
        raise ValueError("boom")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", None, info)
    assert "boom" in json.loads(formatter.format(record))["exception"]


def test_a_person_gets_readable_lines() -> None:
    output = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        configure_logging(settings(log_format="console"), service="booking", stream=output)
        logging.getLogger("x").info("booked", extra={"tons": 12})
    finally:
        logging.getLogger().handlers[:] = before
    assert "tons=12" in output.getvalue()


async def readiness_of(readiness: Readiness, path: str = "/readyz") -> tuple[int, str]:
    answer = await ask(health_app(readiness), path)
    return answer.status_code, answer.text


async def fine() -> None:
    return None


async def away() -> None:
    raise DatabaseUnavailable


async def test_readiness_follows_the_process_and_its_database() -> None:
    readiness = Readiness(fine)
    assert await readiness_of(readiness) == (503, "not ready: starting\n")
    readiness.started = True
    assert await readiness_of(readiness) == (200, "ready\n")
    readiness.draining = True
    assert await readiness_of(readiness) == (503, "not ready: draining\n")


async def test_an_unready_process_still_lives() -> None:
    readiness = Readiness(away)
    readiness.started = True
    assert (await readiness_of(readiness))[0] == 503
    assert await readiness_of(readiness, "/healthz") == (200, "ok\n")
    assert (await readiness_of(readiness, "/elsewhere"))[0] == 404


async def test_metrics_are_prometheus_text() -> None:
    status, text = await readiness_of(Readiness(fine), "/metrics")
    assert status == 200
    assert "http_request_duration_seconds" in text
