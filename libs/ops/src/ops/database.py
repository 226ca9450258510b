"""The platform's Postgres: one embedded server, a database for each service."""

import asyncio
import signal
from collections.abc import Callable
from typing import TypeVar

from chassis.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ops.child import Child
from ops.errors import OpsError
from ops.process import Spec
from ops.state import StateFolder

NAME = "postgres"
GRACE = 20.0
T = TypeVar("T")


def server_of(folder: StateFolder, port: int | None) -> EmbeddedPostgres:
    """The server over the state folder's data, as yet only described."""
    return EmbeddedPostgres(folder.postgres, port)


def spec(server: EmbeddedPostgres) -> Spec:
    """The server as a process to be supervised. Its start returns when it takes connections."""
    return Spec(
        name=NAME,
        launch=lambda: _launch(server),
        log=server.log_file,
        ready=_at_once,
        port=server.port,
        stop_signal=signal.SIGINT,
        grace=GRACE,
        cleans_up=True,
    )


async def in_thread(call: Callable[[], T]) -> T:
    """Let the server do something that blocks; its errors become ours.

    Cancelled, it ends no sooner than the work does: nothing is started behind our back.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
    except EmbeddedPostgresError as error:
        raise OpsError(str(error)) from error


async def _launch(server: EmbeddedPostgres) -> Child:
    await in_thread(server.start)
    pid = server.pid
    if pid is None:
        raise OpsError("Postgres ended as soon as it had started.")

    def reap() -> int | None:
        server.stop()
        return None

    return Child(pid, reap)


async def _at_once() -> bool:
    return True
