"""`ubertruck evidence verify`: is the exported evidence of a trip what was written?"""

import sys
from pathlib import Path
from typing import Final

from booking.trips.evidence import Fault, NotEvidence, verify
from ops.errors import OpsError

STANDARD_INPUT: Final = "-"
# A trip has some ten entries; a file of this size is something else.
MOST_BYTES: Final = 16 * 1024 * 1024


def show(file: str, *, known: str | None) -> int:
    """Print one sentence; the exit code, 1 when something was changed. OpsError 2 otherwise."""
    document = _read(file)
    try:
        verdict = verify(document, known=known)
    except NotEvidence as error:
        raise OpsError(f"{file}: {error}", code=2) from error
    if verdict.fault is not None:
        print(f"{file}: CHANGED: {_place(verdict.fault)}{verdict.fault.problem}.")
        return 1
    count = "1 entry" if verdict.entries == 1 else f"{verdict.entries} entries"
    print(f"{file}: whole: trip {verdict.trip_id}, {count}, head {verdict.head}.")
    return 0


def _place(fault: Fault) -> str:
    return "" if fault.seq is None else f"entry {fault.seq}: "


def _read(file: str) -> bytes:
    try:
        if file == STANDARD_INPUT:
            document = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                document = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise OpsError(f"{file} can't be read: {error.strerror}", code=2) from error
    if len(document) > MOST_BYTES:
        raise OpsError(f"{file} is too large to be the evidence of one trip.", code=2)
    return document
