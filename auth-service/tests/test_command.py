"""`python -m auth_service …` as an operator runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auth_service.__main__ import SERVICE
from auth_service.app import create_jobs
from auth_service.cli import COMMANDS, run_command
from auth_service.settings import AuthSettings
from chassis.db import Database
from chassis.serve import print_openapi
from chassis.testing.databases import TestDatabase

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def environment(
    database: TestDatabase,
    master_key_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("UBERTRUCK_DATABASE_URL", database.url)
    monkeypatch.setenv("UBERTRUCK_MASTER_KEY_FILE", str(master_key_file))
    monkeypatch.setenv("UBERTRUCK_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("UBERTRUCK_SIGNING_KEY_BITS", "2048")
    return monkeypatch


@pytest.fixture
def run(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; gives its status, stdout and stderr."""
    del environment

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_command(arguments)
        written = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, written.out, written.err

    return run


def test_keys_are_rotated_listed_and_retired(run: Run) -> None:
    status, said, _ = run("keys", "rotate", "--activate-in", "0")
    assert status == 0
    old = said.split()[0]
    new = run("keys", "rotate")[1].split()[0]
    listed = run("keys", "list")[1].splitlines()
    assert listed[0].startswith(f"{new}  signs from ")
    assert listed[1].startswith(f"{old}  signs, published until ")
    said = run("keys", "retire", old)[1]
    assert said == f"{old} is retired; tokens that it signed are refused.\n"
    run("keys", "rotate", "--activate-in", "0")
    listed = run("keys", "list")[1].splitlines()
    assert [line.split()[1] for line in listed] == ["signs", "signed", "retired"]
    assert run("keys", "retire", old) == (1, "", f"There is no published key {old}.\n")


@pytest.mark.parametrize("seconds", ["-1", "86401", "soon"])
def test_an_activation_that_makes_no_sense(run: Run, seconds: str) -> None:
    status, _, said = run("keys", "rotate", "--activate-in", seconds)
    assert status == 2
    assert "--activate-in" in said


def test_seeding(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps({"tenants": [{"name": "Ubertruck", "kind": "platform"}]}))
    for _ in range(2):
        assert run("seed", str(path)) == (
            0,
            "Seeded: 1 tenants, 0 users, 0 service clients are there.\n",
            "",
        )
    status, _, said = run("seed", str(tmp_path / "missing.json"))
    assert (status, said.count("\n")) == (1, 1)


def test_without_a_master_key_it_says_so_in_a_sentence(
    run: Run, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("UBERTRUCK_MASTER_KEY_FILE", "/nonexistent/key")
    sentence = "The master key file /nonexistent/key can't be read"
    status, _, said = run("keys", "list")
    assert status == 1
    assert said.startswith(sentence)
    with pytest.raises(SystemExit) as ended:
        SERVICE.settings()
    assert ended.value.code == 78
    assert capsys.readouterr().err.startswith(sentence)


def test_without_a_database_it_says_so_in_a_sentence(
    run: Run, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("UBERTRUCK_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert run("keys", "list") == (1, "", "The database can't be reached.\n")


def test_without_settings_it_says_which(run: Run, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("UBERTRUCK_DATABASE_URL")
    sentence = "The environment is not complete. UBERTRUCK_DATABASE_URL: Field required\n"
    assert run("keys", "list") == (78, "", sentence)


def test_settings_of_the_process(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UBERTRUCK_ADMIN_NETWORKS", '["10.0.0.0/8", "2001:db8::/32"]')
    settings = SERVICE.settings()
    assert isinstance(settings, AuthSettings)
    assert [str(network) for network in settings.admin_networks] == ["10.0.0.0/8", "2001:db8::/32"]


def test_openapi_needs_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    print_openapi(SERVICE)
    assert "/auth/login" in json.loads(capsys.readouterr().out)["paths"]


def test_commands_and_processes_share_one_entry() -> None:
    command = [sys.executable, "-m", "auth_service", "new-master-key"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, len(done.stdout)) == (0, 45), done.stderr
    assert "new-master-key" in COMMANDS


async def test_every_job_of_the_worker_runs(
    database: TestDatabase, settings: AuthSettings, tmp_path: Path
) -> None:
    own = Database.connect(database.url, name="test")
    jobs = create_jobs(settings.model_copy(update={"state_dir": tmp_path}), own)
    assert [(job.name, await job.run()) for job in jobs] == [
        ("seal-audit", False),
        ("maintain-partitions", False),
        ("clear-away", False),
    ]
    await own.dispose()
