"""Logs: JSON lines on stdout, or readable lines where a person watches a terminal.

Give a message and its facts apart: `logger.info("booked", extra={"booking_id": str(id)})`.
Every line carries the trace id of the request in which it was written.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
from opentelemetry import trace

from chassis.settings import ServiceSettings

FLUSH_SECONDS = 0.1

# What a LogRecord has of its own; everything else came by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.StreamHandler[TextIO]):
    """JSON lines on a stream."""

    def __init__(self, stream: TextIO, service: str) -> None:
        super().__init__(stream)
        self.setFormatter(JsonFormatter(service))
        self._service = service
        self._flushing: asyncio.TimerHandle | None = None

    def write(self, logger: str, message: str, facts: Mapping[str, object]) -> None:
        """A line as `info` makes it, for what is logged with every request; in an event loop only.

        No record is made, and the stream is flushed a moment later, for many lines at once.
        """
        line = _opening(time.time(), "info", self._service, logger, message)
        line.update(facts)
        self.stream.write(_dumps(line) + self.terminator)
        if self._flushing is None:
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self.flush()


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, service, message, trace_id and the extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = _opening(
            record.created,
            record.levelname.lower(),
            self._service,
            record.name,
            record.getMessage(),
        )
        line.update(extras_of(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _dumps(line)


class ConsoleFormatter(logging.Formatter):
    """The message, then its extras as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        extras = " ".join(f"{name}={value}" for name, value in extras_of(record).items())
        return f"{text}  {extras}" if extras else text


def log_often(logger: logging.Logger, message: str, facts: Mapping[str, object]) -> None:
    """As `logger.info(message, extra=facts)`, at a fraction of the price where lines are JSON."""
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(handlers[0], JsonLines):
        if logger.isEnabledFor(logging.INFO):
            handlers[0].write(logger.name, message, facts)
    else:
        logger.info(message, extra=facts)


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
    handler = _console_handler(output) if readable else JsonLines(output, service)
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


def _opening(
    created: float, level: str, service: str, logger: str, message: str
) -> dict[str, object]:
    """What every line begins with."""
    line: dict[str, object] = {
        "time": datetime.fromtimestamp(created, UTC),
        "level": level,
        "service": service,
        "logger": logger,
        "message": message,
    }
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = f"{context.trace_id:032x}"
    return line


def _dumps(line: Mapping[str, object]) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
