"""The command line: help, and one sentence with an exit code for whatever is wrong."""

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops import cli


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: object
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def ubertruck(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """The command over a folder of this test's own."""
    # The mask of the process that runs the tests stays as it is.
    monkeypatch.setattr("os.umask", int)

    def run(*arguments: str, state: Path = tmp_path / ".ubertruck") -> Result:
        monkeypatch.setattr(sys, "argv", ["ubertruck", "--state", str(state), *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Result(ended.value.code or 0, captured.out, captured.err)

    return run


def test_help_names_the_commands(ubertruck: Command) -> None:
    shown = ubertruck("--help")
    assert shown.code == 0
    for name in ("up", "demo", "token", "status", "logs", "backup", "restore", "audit", "events"):
        assert f"\n  {name} " in shown.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("up", "--port", "70000"),
        ("up", "--port", "-1"),
        ("up", "--port", "http"),
        ("up", "extra"),
        ("backup",),
        ("logs", "--lines", "-1"),
        ("code",),
    ],
)
def test_wrong_usage_is_2(ubertruck: Command, arguments: tuple[str, ...]) -> None:
    refused = ubertruck(*arguments)
    assert refused.code == 2
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("down",),
        ("status",),
        ("start", "edge"),
        ("stop", "edge"),
        ("restart", "edge"),
        ("token",),
        ("code", "--as", "operator"),
        ("demo",),
        ("keys", "rotate"),
    ],
)
def test_what_needs_a_running_platform_says_so(
    ubertruck: Command, arguments: tuple[str, ...]
) -> None:
    refused = ubertruck(*arguments)
    assert refused.code == 1
    assert refused.err.startswith("ubertruck: Ubertruck isn't running on ")
    assert refused.err.count("\n") == 1


def test_a_taken_port_is_a_sentence(ubertruck: Command, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = ubertruck("up", "--port", str(port))
    assert refused == Result(
        1,
        "",
        f"ubertruck: Port {port} is in use by another program. Choose another one with --port.\n",
    )
    assert not (tmp_path / ".ubertruck" / "postgres").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(ubertruck: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = ubertruck("up", "--port", "0", state=tmp_path / "file")
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert "can't be written" in refused.err


def found_nothing(_name: str) -> None:
    return None


def test_a_missing_envoy_is_a_sentence(ubertruck: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.envoy.find_spec", found_nothing)
    monkeypatch.setenv("PATH", "")
    refused = ubertruck("up", "--port", "0")
    assert refused.code == 1
    assert refused.err.startswith("ubertruck: Envoy is missing")
    assert refused.err.count("\n") == 1


def test_a_missing_postgres_is_a_sentence(
    ubertruck: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.embedded._binaries.find_spec", found_nothing)
    refused = ubertruck("up", "--port", "0")
    assert refused.code == 1
    assert refused.err.startswith("ubertruck: The Postgres binaries are missing")
    assert refused.err.count("\n") == 1


def test_permissions_are_printed(ubertruck: Command) -> None:
    shown = ubertruck("permissions")
    assert shown.code == 0
    assert "| `super_admin` |" in shown.out


def test_nothing_to_back_up_is_a_sentence(ubertruck: Command, tmp_path: Path) -> None:
    refused = ubertruck("backup", str(tmp_path / "backup.tar"))
    assert refused.code == 1
    assert "nothing to back up" in refused.err


def test_no_backup_is_a_sentence_and_leaves_nothing(ubertruck: Command, tmp_path: Path) -> None:
    refused = ubertruck("restore", str(tmp_path / "none.tar"))
    assert refused.code == 1
    assert "can't be read" in refused.err
    assert not (tmp_path / ".ubertruck" / "restoring").exists()


def test_an_audit_without_a_platform_is_a_sentence(ubertruck: Command) -> None:
    refused = ubertruck("audit", "verify")
    assert refused.code == 1
    assert "has never run" in refused.err


def test_no_log_is_a_sentence(ubertruck: Command) -> None:
    refused = ubertruck("logs")
    assert refused.code == 2
    assert "There are: none" in refused.err


def test_a_demo_elsewhere_needs_no_platform_here(ubertruck: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    refused = ubertruck("demo", "--url", f"http://127.0.0.1:{port}")
    assert refused.code == 1
    assert "doesn't answer" in refused.err
