"""Spans reach a collector: a real one over HTTP, which keeps what it is sent."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from fastapi import APIRouter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr, ValidationError

from chassis.app import create_app
from chassis.db import Database
from chassis.routing import StrictRoute
from chassis.settings import ServiceSettings
from chassis.testing.issuer import Issuer

URL = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"
router = APIRouter(route_class=StrictRoute)


@router.get("/open")
async def answer() -> dict[str, bool]:
    return {"done": True}


class Collector(ThreadingHTTPServer):
    """Keeps every request by its path."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Keeping)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Keeping(BaseHTTPRequestHandler):
    server: Collector  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def ask_once(endpoint: str) -> None:
    """A request to a service from its start to its end."""
    settings = ServiceSettings(
        database_url=SecretStr(URL), otlp_endpoint=endpoint, trace_ratio=1, log_level="ERROR"
    )
    app = create_app(
        name="hauling",
        title="Hauling",
        description="",
        settings=settings,
        database=Database.connect(URL, name="hauling"),
        routers=[router],
        open_scopes={},
        keys=Issuer(),
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        assert (await client.get("/open")).status_code == 200


async def test_what_happened_is_there_when_the_process_has_ended(collector: Collector) -> None:
    await ask_once(collector.url)
    [(path, body)] = collector.got
    assert path == "/v1/traces"
    [sent] = ExportTraceServiceRequest.FromString(body).resource_spans
    names = {one.key: one.value.string_value for one in sent.resource.attributes}
    assert names["service.name"] == "hauling"
    assert [span.name for scope in sent.scope_spans for span in scope.spans] == ["GET /open"]


async def test_without_a_collector_nothing_is_sent(collector: Collector) -> None:
    await ask_once("")
    assert collector.got == []


@pytest.mark.parametrize("wrong", ["collector:4318", "http://collector/v1/traces", "ftp://x"])
def test_a_wrong_endpoint_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="otlp_endpoint"):
        ServiceSettings(database_url=SecretStr(URL), otlp_endpoint=wrong)
