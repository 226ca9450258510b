"""The environment that children get: what a program needs, and nothing that steers ours."""

import os

NAMES = ("HOME", "LANG", "PATH", "TMPDIR", "USER")


def base_environment(*, python_path: str = "") -> dict[str, str]:
    """What is passed on of our own environment: no proxies, no PG*, no UBERTRUCK_*.

    `python_path` is where a child looks for its code before anywhere else.
    """
    found = {
        name: value
        for name, value in os.environ.items()
        if name in NAMES or name.startswith("PYTHON")
    }
    if python_path:
        before = found.get("PYTHONPATH")
        found["PYTHONPATH"] = os.pathsep.join([python_path, *([before] if before else [])])
    return found
