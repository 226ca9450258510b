import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import platform
from bench.errors import BenchError

UP = """
import json, pathlib, signal, sys
root = pathlib.Path(sys.argv[2])
(root / "run").mkdir(parents=True, exist_ok=True)
(root / "secrets").mkdir(exist_ok=True)
(root / "run" / "ports.json").write_text(json.dumps({"postgres": 5432, "edge": 8080}))
print("Starting Postgres")
print("Up in 4.2 s; 8 processes use 640 MiB. Ctrl-C stops everything.", flush=True)
signal.signal(signal.SIGTERM, lambda *_: (root.with_name("ended").touch(), sys.exit(0)))
signal.pause()
"""
REFUSES = """
import sys
print("ubertruck: Port 8080 is in use by another program.", file=sys.stderr)
sys.exit(1)
"""
HANGS = """
import signal
signal.pause()
"""
STAYS = UP.replace("sys.exit(0)", "None").replace(
    "signal.pause()", "[signal.pause() for _ in 'ab']"
)

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a program that stands in for `ubertruck`."""

    def write(source: str) -> None:
        program = tmp_path / "ubertruck"
        program.write_text(f"#!{sys.executable} -I\n{source}")
        program.chmod(0o755)
        monkeypatch.setattr(platform, "UBERTRUCK", program)

    return write


async def test_it_is_there_and_then_asked_to_stop(install: Install, tmp_path: Path) -> None:
    install(UP)
    async with platform.running(tmp_path / "state") as up:
        assert up.seconds == 4.2
        assert up.layout.ports["edge"] == 8080
        assert up.server.port == 5432
    assert (tmp_path / "ended").exists()


async def test_it_stops_when_the_body_fails(install: Install, tmp_path: Path) -> None:
    install(UP)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5), platform.running(tmp_path / "state"):
            raise TimeoutError
    assert (tmp_path / "ended").exists()


async def test_it_says_why_it_does_not_come_up(install: Install, tmp_path: Path) -> None:
    install(REFUSES)
    with pytest.raises(BenchError, match="doesn't come up: Port 8080 is in use"):
        async with platform.running(tmp_path / "state"):
            pass


async def test_it_does_not_wait_for_ever(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(HANGS)
    monkeypatch.setattr(platform, "START_SECONDS", 0.3)
    with pytest.raises(BenchError, match="isn't up after"):
        async with platform.running(tmp_path / "state"):
            pass


async def test_what_does_not_stop_is_ended(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(STAYS)
    monkeypatch.setattr(platform, "STOP_SECONDS", 0.3)
    async with asyncio.timeout(10), platform.running(tmp_path / "state"):
        pass
    assert (tmp_path / "ended").exists()


async def test_twice_over_one_folder(install: Install, tmp_path: Path) -> None:
    install(UP)
    for _ in range(2):
        async with platform.running(tmp_path / "state") as up:
            assert up.seconds == 4.2
