"""A supervisor to be killed: `python doomed.py STATE SCRIPT` keeps one sh script running."""

import asyncio
import os
import sys
from pathlib import Path

from ops.child import Command, launcher
from ops.process import Spec
from ops.stale import mark
from ops.state import StateFolder
from ops.supervisor import Supervisor


async def ready() -> bool:
    """The script needs no time."""
    return True


async def main(root: Path, script: str) -> None:
    """Say `up` once the script runs, then wait for the end."""
    folder = StateFolder(root)
    folder.prepare()
    log = folder.log_of("child")
    env = {"PATH": os.defpath} | mark(folder)
    launch = launcher(Command(argv=["/bin/sh", "-c", script], env=env, log=log))
    supervisor = Supervisor(folder, lambda _: None)
    await supervisor.start([Spec(name="child", launch=launch, log=log, ready=ready)])
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
