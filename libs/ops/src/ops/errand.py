"""A command that is run to its end, such as a migration."""

import asyncio

from ops.child import Command, launcher
from ops.errors import OpsError
from ops.logfiles import last_words, size, tail


class ErrandError(OpsError):
    """The command failed; the message ends with what it said last."""


async def run_to_end(name: str, command: Command, *, seconds: float = 120.0) -> None:
    """Run `command`, with its output in its log file; ErrandError when it fails or takes longer."""
    since = size(command.log)
    child = await launcher(command)()
    try:
        code = await asyncio.wait_for(child.wait(), seconds)
    except TimeoutError as error:
        child.kill_group()
        await child.wait()
        raise ErrandError(f"{name} took longer than {seconds:g} s.") from error
    except asyncio.CancelledError:
        child.kill_group()
        await child.wait()
        raise
    if code != 0:
        raise ErrandError(f"{name} failed: {last_words(tail(command.log, 20, since=since))}")
