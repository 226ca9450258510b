"""Where the processors' time goes, by kind of process, of everything that this run started."""

import os
import resource
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

from ops.memory import family

MODULES = {
    "-m booking api": "booking",
    "-m booking worker": "worker",
    "-m bench.subjects.witness": "witness",
}


def kind_of(program: str, command: Sequence[str]) -> str:
    """To which part of the platform a process belongs."""
    if program == "envoy":
        return "edge"
    if program == "postgres":
        return "postgres"
    line = " ".join(command)
    return next((kind for module, kind in MODULES.items() if module in line), "rest")


def spent() -> Mapping[str, float]:
    """Seconds so far, by kind.

    `load` is this process with those that it has awaited, `idle` what nobody on the machine used.
    """
    found = defaultdict[str, float](float)
    for pid in family(os.getpid()) - {os.getpid()}:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            times = process.cpu_times()
            found[kind_of(process.name(), process.cmdline())] += times.user + times.system
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        found["load"] += usage.ru_utime + usage.ru_stime
    found["idle"] = psutil.cpu_times().idle
    return found


def between(before: Mapping[str, float], after: Mapping[str, float]) -> Mapping[str, float]:
    """Seconds from one moment to the other, by kind."""
    return {kind: after[kind] - before.get(kind, 0.0) for kind in sorted(after)}
