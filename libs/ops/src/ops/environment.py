"""The environment that children get: what a program needs, and nothing that steers ours."""

import os

NAMES = ("HOME", "LANG", "PATH", "TMPDIR", "USER")


def base_environment() -> dict[str, str]:
    """What is passed on of our own environment: no proxies, no PG*, no UBERTRUCK_*."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in NAMES or name.startswith("PYTHON")
    }
