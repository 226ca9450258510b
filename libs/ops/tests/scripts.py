"""Small child processes for tests, written in sh since that starts in a millisecond."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from ops.child import Command, launcher
from ops.process import RestartPolicy, Spec
from ops.stale import mark
from ops.state import StateFolder

QUICK = RestartPolicy(first=0.01, most=0.05, healthy=60)
SLEEP = "exec sleep 1000"
IGNORES_TERM = f"trap '' TERM; echo ready; {SLEEP}"


def folder_in(path: Path) -> StateFolder:
    """A prepared state folder."""
    folder = StateFolder(path / ".ubertruck")
    folder.prepare()
    return folder


def said(log: Path, text: str) -> bool:
    """Whether `text` is in the file."""
    return text in log.read_text()


def printed(log: Path, text: str) -> Callable[[], Awaitable[bool]]:
    """A probe: has `text` been printed?"""

    async def probe() -> bool:
        return said(log, text)

    return probe


def script(
    folder: StateFolder, text: str, *, name: str = "child", says: str = "", grace: float = 5
) -> Spec:
    """A process that runs `text` in sh and is ready when it has printed `says`."""
    log = folder.log_of(name)
    command = Command(
        argv=["/bin/sh", "-c", text], env={"PATH": os.defpath} | mark(folder), log=log
    )
    return Spec(name=name, launch=launcher(command), log=log, ready=printed(log, says), grace=grace)
