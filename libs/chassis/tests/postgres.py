"""Talking to an embedded server from outside, as a person would."""

import subprocess
import time

from chassis.embedded import EmbeddedPostgres


def execute(
    command: list[str], env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own programs
        command, env=env, capture_output=True, text=True, check=False
    )


def run(server: EmbeddedPostgres, statement: str) -> str:
    psql = [*server.tool("psql"), "-X", "-A", "-t", "-c", statement, server.superuser_url()]
    result = execute(psql)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def wait_until_gone(server: EmbeddedPostgres) -> None:
    deadline = time.monotonic() + 20
    while server.is_running:
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.02)
