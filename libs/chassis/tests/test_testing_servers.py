import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from chassis.embedded import EmbeddedPostgresError
from chassis.testing import servers
from chassis.testing.servers import (
    Broker,
    ContainerServer,
    ExternalServer,
    LazyServer,
    TemporaryServer,
    ask_broker,
    make_folder,
    start_server,
)


class CountedServer:
    url = "postgresql://counted"
    started = 0
    stopped = 0

    def __init__(self) -> None:
        type(self).started += 1

    def stop(self) -> None:
        type(self).stopped += 1


@pytest.fixture
def counted() -> type[CountedServer]:
    return type("Counted", (CountedServer,), {"started": 0, "stopped": 0})


def test_lazy_server_starts_once_and_only_if_asked(counted: type[CountedServer]) -> None:
    idle = LazyServer(counted)
    idle.stop()
    assert counted.started == 0
    asked = LazyServer(counted)
    with ThreadPoolExecutor(4) as pool:
        urls = {asking.result() for asking in [pool.submit(asked.url) for _ in range(8)]}
    asked.stop()
    asked.stop()
    assert urls == {"postgresql://counted"}
    assert (counted.started, counted.stopped) == (1, 1)


def test_broker_tells_every_worker(counted: type[CountedServer]) -> None:
    broker = Broker(LazyServer(counted))
    assert [ask_broker(broker.port) for _ in range(3)] == ["postgresql://counted"] * 3
    broker.close()
    with pytest.raises(OSError, match="refused"):
        ask_broker(broker.port)


def test_broker_tells_why_there_is_no_server() -> None:
    def fail() -> ExternalServer:
        raise EmbeddedPostgresError("The Postgres binaries are missing.")

    broker = Broker(LazyServer(fail))
    with pytest.raises(RuntimeError, match=r"^No database for tests: The Postgres binaries are"):
        ask_broker(broker.port)
    broker.close()


def test_controller_that_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_broker, listener.getsockname()[1])
        listener.accept()[0].close()
        with pytest.raises(RuntimeError, match="No database for tests"):
            asking.result()


class TestChoice:
    def test_url_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UBERTRUCK_TEST_DATABASE_URL", "postgresql://somewhere")
        server = start_server()
        server.stop()
        assert server.url == "postgresql://somewhere"

    def test_container(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = FakeTestcontainers("testcontainers.postgres")
        monkeypatch.setitem(sys.modules, "testcontainers.postgres", module)
        monkeypatch.delenv("UBERTRUCK_TEST_DATABASE_URL", raising=False)
        monkeypatch.setenv("UBERTRUCK_TEST_POSTGRES", "container")
        server = start_server()
        assert isinstance(server, ContainerServer)
        assert server.url == "postgresql://container"
        server.stop()
        assert module.calls == ["postgres:18", "start", "stop"]

    def test_embedded_otherwise(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("UBERTRUCK_TEST_DATABASE_URL", raising=False)
        monkeypatch.delenv("UBERTRUCK_TEST_POSTGRES", raising=False)
        monkeypatch.setattr(servers, "TemporaryServer", CountedServer)
        assert start_server().url == "postgresql://counted"


class FakeTestcontainers(ModuleType):
    """Stands for the library: no test needs Docker."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[str] = []

    def PostgresContainer(self, image: str, *, driver: None) -> "FakeTestcontainers":  # noqa: N802, RUF100 - the library's name
        assert driver is None
        self.calls.append(image)
        return self

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def get_connection_url(self) -> str:
        return "postgresql://container"


def test_temporary_server_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(servers, "make_folder", lambda: tmp_path / "file")
    with pytest.raises(EmbeddedPostgresError, match="can't be written"):
        TemporaryServer()


def test_folders_of_killed_runs_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_MEMORY", tmp_path)
    monkeypatch.setattr(servers, "_MEMORY_NEEDED", 0)
    dead = tmp_path / "ubertruck-test-999999999-a"
    alive = tmp_path / f"ubertruck-test-{os.getpid()}-b"
    other = tmp_path / "ubertruck-test-own"
    for folder in (dead, alive, other):
        folder.mkdir()
    made = make_folder()
    assert made.parent == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == {alive.name, other.name, made.name}


def test_without_room_in_memory_the_disk_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_MEMORY_NEEDED", 2**62)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert make_folder().parent == tmp_path
