"""Ports: free, distinct, remembered, explained when taken."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import ports
from ops.errors import OpsError
from ops.state import read_json, write_json


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_ports_are_distinct_and_stay_the_same(tmp_path: Path) -> None:
    names = [f"booking-blue-{n}" for n in range(1, 30)]
    first = ports.allot(names, tmp_path / "ports.json")
    assert len(set(first.values())) == len(names)
    assert ports.allot(names, tmp_path / "ports.json") == first


def test_ports_keep_clear_of_outgoing_connections(tmp_path: Path) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = ports.allot(["a", "b", "c"], tmp_path / "ports.json")
    assert all(port < lowest for port in found.values())


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path, taken: int) -> None:
    write_json(tmp_path / "ports.json", {"edge": taken, "other": 4711})
    assert ports.allot(["edge"], tmp_path / "ports.json")["edge"] != taken
    assert read_json(tmp_path / "ports.json")["other"] == 4711


def test_where_outgoing_connections_take_everything_the_system_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "LOWEST", 65_535)
    assert ports.allot(["edge"], tmp_path / "ports.json")["edge"] > 0


def test_a_taken_port_is_a_sentence(taken: int) -> None:
    with pytest.raises(OpsError, match=rf"^Port {taken} is in use by another program\. Choose"):
        ports.require_free(taken)


def test_a_port_for_root_alone_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(OpsError, match=r"^Port 80 is not open to this user"):
        ports.require_free(80)
    with pytest.raises(OpsError, match="No free port"):
        ports.allot(["edge"], Path("/nowhere"))
