"""In which words this command was called, for those that it tells the reader to type."""

import shlex
import shutil
import sys
from pathlib import Path

from ops.state import StateFolder


def command(folder: StateFolder, *arguments: str) -> str:
    """A line for the shell that runs `ubertruck ARGUMENTS` on this data folder."""
    named = Path(sys.argv[0])
    program = named.name if shutil.which(named.name) == str(named.absolute()) else str(named)
    is_default = folder.root == Path(".ubertruck").absolute()
    state = [] if is_default else ["--state", str(folder.root)]
    return shlex.join([program, *state, *arguments])
