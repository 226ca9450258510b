"""Logs: JSON lines on stdout, or readable lines where a person watches a terminal.

Give a message and its facts apart: `logger.info("booked", extra={"booking_id": str(id)})`.
Every line carries the trace id of the request in which it was written.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
from opentelemetry import trace

from chassis.settings import ServiceSettings

# What a LogRecord has of its own; everything else came by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, service, message, trace_id and the extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = trace.format_trace_id(context.trace_id)
        line.update(extras_of(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class ConsoleFormatter(logging.Formatter):
    """The message, then its extras as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        extras = " ".join(f"{name}={value}" for name, value in extras_of(record).items())
        return f"{text}  {extras}" if extras else text


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """The facts that were given with `extra=`."""
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def configure_logging(
    settings: ServiceSettings, *, service: str, stream: TextIO | None = None
) -> None:
    """Send every log line of the process to `stream` (stdout)."""
    output: TextIO = stream or sys.stdout
    readable = settings.log_format == "console" or (
        settings.log_format == "auto" and output.isatty()
    )
    handler: logging.Handler
    if readable:
        handler = _console_handler(output)
    else:
        handler = logging.StreamHandler(output)
        handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    _collect_only_what_is_shown()
    # These say at INFO what our own lines say better.
    for name in ("httpx", "httpcore", "uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _collect_only_what_is_shown() -> None:
    # The switches of "Optimization" in Python's logging HOWTO: half of a record's price.
    switches = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks", "_srcfile")
    for switch in switches:
        setattr(logging, switch, None)


def _console_handler(output: TextIO) -> logging.Handler:
    # Imported only where a person watches, so that a served process stays small.
    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(file=output), show_path=False)
    handler.setFormatter(ConsoleFormatter("%(message)s"))
    return handler
