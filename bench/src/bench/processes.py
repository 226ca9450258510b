"""Processes that are measured beside the platform: started, awaited, always stopped."""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from ops import ports
from ops.child import Command, launcher
from ops.http_probe import answers_ok
from ops.process import Process, Spec, Watcher
from ops.services import BOOKING, Layout

PATIENCE = 60.0


@asynccontextmanager
async def running(spec: Spec) -> AsyncGenerator[Process]:
    """The process, ready, until the body ends; StartError with its last words if it isn't.

    One that crashes later is started again, and what it dropped is seen by whoever asked it.
    """
    process = Process(spec, Watcher(say=print, changed=_nothing, failed=_ignore))
    try:
        await process.come_up(PATIENCE)
        yield process
    finally:
        await process.stop()


def service_spec(
    layout: Layout,
    name: str,
    *arguments: str,
    database_url: str | None = None,
    niceness: int = 0,
) -> Spec:
    """`python -m ARGUMENTS` with booking's environment, on ports and in a folder of its own.

    The platform's database is booking's own, unless another one is given. A worker is on the
    platform's bus.
    """
    allotted = ports.allot([name, f"{name}-health"], layout.folder.run / "bench-ports.json")
    health = allotted[f"{name}-health"]
    state = layout.folder.service(name)
    state.mkdir(mode=0o700, exist_ok=True)
    changes: Mapping[str, str] = {
        "UBERTRUCK_STATE_DIR": str(state),
        "UBERTRUCK_DATABASE_URL": database_url or layout.database_url(BOOKING),
        "UBERTRUCK_PORT": str(allotted[name]),
        "UBERTRUCK_HEALTH_PORT": str(health),
        "UBERTRUCK_BUS_URL": layout.bus_url,
    }
    command = Command(
        argv=[sys.executable, "-m", *arguments],
        env={**layout.environment(BOOKING), **changes},
        log=layout.folder.log_of(name),
        niceness=niceness,
    )
    return Spec(
        name=name,
        launch=launcher(command),
        log=command.log,
        ready=answers_ok(health, "/readyz"),
        port=allotted[name],
    )


def _nothing() -> None:
    """Nobody keeps a list of these processes."""


def _ignore(_name: str) -> None:
    """Whoever waits for the process is told by `wait_ready`."""
