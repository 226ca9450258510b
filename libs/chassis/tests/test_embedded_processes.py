import os
import signal
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
from chassis.testing.servers import temporary_postgres

from .postgres import execute, run, wait_until_gone

needs_root = pytest.mark.skipif(  # an ordinary user starts Postgres as itself: nothing to test
    os.geteuid() != 0, reason="only root can become another user"
)


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
