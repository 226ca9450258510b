"""One slim middleware: a span, a duration, a log line a request. Plain ASGI.

Spans go through the OpenTelemetry SDK; without a collector they only carry the trace id to logs,
events and the next service.
"""

import logging
import random
import time
from functools import lru_cache
from typing import Any, cast

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.logs import log_often

logger = logging.getLogger(__name__)

EXPORT_SECONDS = 5.0

_PROPAGATOR = TraceContextTextMapPropagator()
# Upper bounds of the buckets of the duration of requests.
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)

REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from a request's first byte to its answer's last",
    ["method", "route", "status"],
    buckets=BUCKETS_SECONDS,
)
UNHANDLED = Counter("http_unhandled_errors_total", "Requests that ended in an unforeseen error")


def tracer_provider(service: str, *, endpoint: str = "") -> TracerProvider:
    """A provider that keeps new traces, and follows the caller's choice for others.

    With an `endpoint`, such as `http://collector:4318`, spans are sent there by OTLP over HTTP, in
    batches from a thread of their own; `shutdown` sends the last. What the collector doesn't take
    is dropped after some tries, and no request waits for it.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=ParentBased(ALWAYS_ON)
    )
    if endpoint:
        # The extra `otlp` brings it, and who sends nothing needn't carry it.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def current_traceparent() -> str | None:
    """The W3C `traceparent` of the work at hand, for an event or a call to another service."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def current_trace_id() -> str | None:
    """The trace id as 32 hexadecimal digits."""
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else None


class TelemetryMiddleware:
    """Wraps the whole application; of new traces it keeps the share `ratio`."""

    def __init__(self, app: ASGIApp, *, provider: TracerProvider, ratio: float) -> None:
        self._app = app
        self._ratio = ratio
        self._tracer = provider.get_tracer("chassis")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = cast(int, message["status"])
            await send(message)

        parent = _parent(scope)
        method = cast(str, scope["method"])
        if parent is None and random.random() >= self._ratio:  # noqa: S311 - a share, no secret
            span = _unkept_span()
        else:
            span = self._tracer.start_span(method, parent, kind=trace.SpanKind.SERVER)
        token = context.attach(trace.set_span_in_context(span, parent))
        try:
            await self._app(scope, receive, watch)
        except Exception:  # raised again: counted and logged here while its trace is at hand
            UNHANDLED.inc()
            logger.exception("unhandled error", extra={"path": scope["path"]})
            raise
        finally:
            route = _route_of(scope)
            seconds = time.perf_counter() - started
            _duration(method, route, status).observe(seconds)
            _log(scope, route, status, seconds)
            context.detach(token)
            span.update_name(f"{method} {route}")
            span.set_attribute("http.response.status_code", status)
            span.end()


def _unkept_span() -> trace.Span:
    # What the SDK would make, once it had asked its sampler: five times as long.
    identity = trace.SpanContext(
        random.getrandbits(128) or 1, random.getrandbits(64) or 1, is_remote=False
    )
    return trace.NonRecordingSpan(identity)


@lru_cache(maxsize=1024)
def _duration(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, route, str(status))


def _parent(scope: Scope) -> context.Context | None:
    headers = _trace_headers(scope)
    if not headers:
        return None
    parent = _PROPAGATOR.extract(headers)
    return parent if trace.get_current_span(parent).get_span_context().is_valid else None


def _trace_headers(scope: Scope) -> dict[str, str]:
    wanted = (b"traceparent", b"tracestate")
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    return {name.decode(): value.decode("latin-1") for name, value in headers if name in wanted}


def _route_of(scope: Scope) -> str:
    # The template, never the path: a path holds ids, and each would be a time series of its own.
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "unmatched"


def _log(scope: Scope, route: str, status: int, seconds: float) -> None:
    facts: dict[str, object] = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 2),
    }
    principal = scope.get("chassis.principal")
    if principal is not None:
        facts["tenant"] = principal.tenant_id
        facts["subject"] = principal.subject
    log_often(logger, "request", facts)
