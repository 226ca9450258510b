"""A service's process: `python -m <package> api | worker | migrate | openapi`.

SIGTERM drains: readiness goes first, then requests in flight finish, then the process ends with
status 0. A process that can't start says why in one sentence and ends with status 1; one whose
configuration or database makes a restart pointless ends with status 78 (EX_CONFIG).
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import orjson
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import ASGIApp

from chassis.buses import BusNotConfigured
from chassis.db import Database, DatabaseUnavailable
from chassis.db_refusals import DatabaseRefusal, raise_refusal
from chassis.events import Handler
from chassis.health import Readiness, health_app
from chassis.logs import configure_logging
from chassis.one_write import OneWriteProtocol
from chassis.schema import SchemaError, check_serves, schema_problem
from chassis.settings import ServiceSettings
from chassis.worker import Job, run_worker

logger = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_POINTLESS = 78
# Longer than the proxy's idle time-out: otherwise a POST can meet a connection that we just closed.
KEEP_ALIVE_SECONDS = 75
DATABASE_RETRY_SECONDS = 0.5
GC_THRESHOLDS = (50_000, 20, 50)


class CannotStart(Exception):
    """Why the process can't start, as one sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `main` needs to know of a service.

    `handlers` says what is done about which event type; a service without events has None.
    """

    name: str
    settings: Callable[[], ServiceSettings]
    app: Callable[[ServiceSettings, Database], FastAPI]
    jobs: Callable[[ServiceSettings, Database], Sequence[Job]]
    code_revision: int
    handlers: Mapping[str, Handler] | None = None

    @property
    def database(self) -> str:
        """What its database and its migrations are called."""
        return self.name.removesuffix("-service")


class _Server(uvicorn.Server):
    """uvicorn without signal handling: we decide when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def main(service: Service, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one of the service's processes and exit."""
    parser = argparse.ArgumentParser(prog=f"python -m {service.name}")
    parser.add_argument("process", choices=["api", "worker", "migrate", "openapi"])
    chosen = parser.parse_args(arguments)
    try:
        if chosen.process == "openapi":
            print_openapi(service)
        elif chosen.process == "migrate":
            _migrate(service)
        else:
            settings = service.settings()
            configure_logging(settings, service=service.name)
            run = _run_api if chosen.process == "api" else _run_worker
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run(service, settings))
    except ValidationError as error:
        fail(settings_sentence(error), EXIT_POINTLESS)
    except (SchemaError, BusNotConfigured, DatabaseRefusal) as error:
        fail(str(error), EXIT_POINTLESS)
    except CannotStart as error:
        fail(str(error), EXIT_FAILED)
    sys.exit(0)


def fail(sentence: str, status: int) -> NoReturn:
    """Say why on stderr and exit."""
    sys.stderr.write(f"{sentence}\n")
    sys.exit(status)


def print_openapi(service: Service) -> None:
    """Write the service's OpenAPI document to stdout; needs no database and no environment."""
    settings = ServiceSettings.model_validate(
        {"database_url": "postgresql+asyncpg://nowhere/none", "state_dir": Path()}
    )
    database = Database.connect(settings.database_url.get_secret_value(), name=service.name)
    document = service.app(settings, database).openapi()
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def _migrate(service: Service) -> None:
    # With alembic, which no other process should carry.
    from chassis.migrate import CannotMigrate, migrate

    # A migrator is given an address and nothing else that the service wants.
    settings = ServiceSettings.model_validate({})
    configure_logging(settings, service=service.name)
    try:
        asyncio.run(migrate(settings, service.database, service.code_revision))
    except CannotMigrate as error:
        raise CannotStart(str(error)) from error


async def _run_api(service: Service, settings: ServiceSettings) -> None:
    database = _connect(service, settings)
    readiness = Readiness(lambda: schema_problem(database, service.code_revision))
    stop = _stop_on_signals()
    with _listen(settings.host, settings.port) as listening:
        async with _health_port(settings, readiness):
            if not await _await_database(service, database, stop):
                return
            server = _server(service.app(settings, database), settings.drain_timeout)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            await _first(server.up.wait(), serving)
            if serving.done():
                raise CannotStart(f"{service.name} failed to start; its log says why.")
            _tune_collection()
            readiness.started = True
            logger.info("ready", extra={"port": listening.getsockname()[1]})
            await _first(stop.wait(), serving)
            readiness.draining = True
            await asyncio.sleep(settings.drain_delay)
            server.should_exit = True
            await serving
    logger.info("stopped")


def _tune_collection() -> None:
    # What lives until the end needn't be looked at by every collection, and requests leave next to
    # no cycles behind: looking seldom is enough, and each look is a pause for all of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _run_worker(service: Service, settings: ServiceSettings) -> None:
    database = _connect(service, settings)
    readiness = Readiness(lambda: schema_problem(database, service.code_revision))
    stop = _stop_on_signals()
    async with _health_port(settings, readiness):
        if not await _await_database(service, database, stop):
            return
        readiness.started = True
        logger.info("working")
        try:
            jobs = service.jobs(settings, database)
            async with _event_jobs(service, settings, database) as more:
                await run_worker(settings=settings, jobs=[*jobs, *more], stop=stop)
        finally:
            readiness.draining = True
            await database.dispose()
    logger.info("stopped")


@contextlib.asynccontextmanager
async def _event_jobs(
    service: Service, settings: ServiceSettings, database: Database
) -> AsyncGenerator[Sequence[Job]]:
    if service.handlers is None:
        yield []
        return
    # Only workers need it, and an api process should stay small.
    from chassis.backbone import open_backbone

    async with open_backbone(
        settings, database, service=service.name, handlers=service.handlers
    ) as jobs:
        yield jobs


def _connect(service: Service, settings: ServiceSettings) -> Database:
    url = settings.database_url.get_secret_value()
    return Database.connect(url, name=service.name, pool_size=settings.database_pool_size)


async def _await_database(service: Service, database: Database, stop: asyncio.Event) -> bool:
    """Wait until the database answers and serves this code; False when told to stop first."""
    said = False
    while not stop.is_set():
        try:
            await check_serves(database, service.code_revision)
        except DatabaseUnavailable as error:
            raise_refusal(error)
            if not said:
                logger.warning("waiting for the database")
                said = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), DATABASE_RETRY_SECONDS)
        else:
            return True
    return False


@contextlib.asynccontextmanager
async def _health_port(settings: ServiceSettings, readiness: Readiness) -> AsyncGenerator[None]:
    with _listen(settings.host, settings.health_port) as listening:
        server = _server(health_app(readiness), 1)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


def _server(app: ASGIApp, graceful: float) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            # chassis.source reads forwarded addresses, by how many proxies of ours there are.
            proxy_headers=False,
            http=OneWriteProtocol,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(graceful)),
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise CannotStart(f"Can't listen on {host}:{port}: {error.strerror}.") from error
    return listening


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _first(*awaitables: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


def settings_sentence(error: ValidationError) -> str:
    """What is wrong with the environment, for a person; no value is shown."""
    parts = [
        f"UBERTRUCK_{'_'.join(str(p) for p in entry['loc']).upper()}: {entry['msg']}"
        for entry in error.errors(include_input=False)
    ]
    return "The environment is not complete. " + "; ".join(parts)
