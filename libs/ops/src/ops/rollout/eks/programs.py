"""Other people's programs, kubectl and helm: run with an end, their words turned into errors."""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ops.errors import OpsError

# What kubectl and helm say in front of every message.
_PREFIXES = ("Error from server ", "Error: ", "error: ")


class ProgramFailed(OpsError):
    """A program ended with an error; the message is its own, on one line."""


def program(name: str) -> str:
    """Where a program is: beside the interpreter, as `make install` has it, or on the PATH."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if found is None:
        raise OpsError(f"{name} is missing: run `make install`, or put it on the PATH.")
    return found


async def run(command: Sequence[str], *, stdin: str = "", seconds: float) -> str:
    """What the command prints; ProgramFailed when it fails, OpsError when it takes too long.

    One that takes too long, or whose caller is cancelled, is killed.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Ctrl-C is meant for us, and a helm that it ends leaves half an upgrade.
        start_new_session=True,
    )
    name = Path(command[0]).name
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate(stdin.encode())
    except TimeoutError as error:
        raise OpsError(f"{name} {command[1]} took longer than {seconds:g} s.") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ProgramFailed(_one_line(errors.decode(errors="replace"), name))
    return output.decode()


def _one_line(text: str, name: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    # Libraries log in front of what the program itself has to say.
    said = [line for line in lines if line.startswith(_PREFIXES)] or [
        line for line in lines if line
    ]
    return " ".join(said[-1:]) or f"{name} failed and said nothing."
