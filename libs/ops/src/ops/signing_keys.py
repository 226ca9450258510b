"""`ubertruck keys rotate`: auth-service's own command, against the running platform."""

import subprocess

from ops.asking import url_of
from ops.errors import OpsError
from ops.services import AUTH, Layout
from ops.state import StateFolder


def rotate(folder: StateFolder) -> None:
    """Publish a new key; OpsError when auth-service refuses, or nothing runs."""
    url_of(folder)
    command = Layout.remembered(folder).command(AUTH, "keys", "rotate", process="keys")
    result = subprocess.run(  # noqa: S603 - our own service
        command.argv, env=command.env, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise OpsError(f"The keys can't be rotated: {lines[-1]}")
    print(result.stdout, end="")
