import subprocess
import sys

import pytest

from bench import cpu


@pytest.mark.parametrize(
    ("program", "command", "kind"),
    [
        ("envoy", ["/x/envoy", "--config-path", "/y/booking/envoy.json"], "edge"),
        ("postgres", ["postgres: booking_runtime booking 127.0.0.1(1) idle"], "postgres"),
        ("python", ["/x/python", "-m", "booking", "api"], "booking"),
        ("python", ["/x/python", "-m", "booking", "worker"], "worker"),
        ("python", ["/x/python", "-m", "bench.subjects.witness"], "witness"),
        ("python", ["/x/python", "-m", "config_service", "worker"], "rest"),
        ("ubertruck", [], "rest"),
    ],
)
def test_knows_who_is_who(program: str, command: list[str], kind: str) -> None:
    assert cpu.kind_of(program, command) == kind


BUSY = """
import time
while time.process_time() < 0.3:
    pass
print("done", flush=True)
time.sleep(60)
"""


def test_counts_what_was_started_while_it_runs_and_afterwards() -> None:
    before = cpu.spent()
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        process.stdout.readline()
        running = cpu.between(before, cpu.spent())
        process.kill()
    ended = cpu.between(before, cpu.spent())
    assert running["rest"] >= 0.25
    assert ended["load"] >= 0.25
    assert ended["idle"] >= 0
