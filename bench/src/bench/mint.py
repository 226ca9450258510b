"""`python -m bench.mint`: tokens of many shippers for a load test, one a line.

Signed with the key of a platform on this machine, so only that platform takes them.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.tokens import mint
from chassis.errors import Unavailable
from ops.errors import OpsError
from ops.services import Layout
from ops.state import StateFolder

SHIPPERS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; 1, with one sentence on standard error, when the platform doesn't run."""
    parser = argparse.ArgumentParser(prog="python -m bench.mint", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".ubertruck"), help="the data folder")
    parser.add_argument("--count", type=int, default=SHIPPERS, help="how many shippers")
    options = parser.parse_args(arguments)
    try:
        layout = Layout.remembered(StateFolder(options.state.absolute()))
        tokens = asyncio.run(mint(layout, count=options.count))
    except OpsError as error:
        print(f"mint: {error}", file=sys.stderr)
        return 1
    except Unavailable:
        print(f"mint: The platform over {options.state} doesn't run.", file=sys.stderr)
        return 1
    for token in tokens:
        print(token.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
