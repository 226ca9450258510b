"""The pipeline's script: what it takes, and what it makes of that."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.releases import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "blue-green-deploy.sh"
Deploy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """The script, in a checkout whose `ubertruck` says what it was asked for and ends with 7."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    ubertruck = programs / "ubertruck"
    ubertruck.write_text('#!/bin/sh\necho "$PWD: $*"\nexit 7\n')
    ubertruck.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / NAME, tmp_path / "scripts")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own script
            [script, *arguments], capture_output=True, text=True, check=False, cwd="/"
        )

    return run


@pytest.mark.parametrize("more", [[], ["--rollback-on-failure"]])
def test_it_starts_a_rollout_and_ends_as_that_does(
    deploy: Deploy, tmp_path: Path, more: list[str]
) -> None:
    done = deploy("--version", COMMIT, *more, "--environment", "staging")
    wanted = f"rollout start --environment staging --version {COMMIT}"
    assert done.stdout == f"{tmp_path}: {wanted}\n"
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--environment is"),
        (["--environment", "prod", "--version", COMMIT], "--environment is"),
        (["--environment", "dev"], "--version is a commit"),
        (["--environment", "dev", "--version", "v1"], "--version is a commit"),
        (["--environment", "dev", "--version", f"{COMMIT}; rm -r /"], "--version is a commit"),
        (["--environment"], "--environment needs a value"),
        (["--environment", "dev", "--version", COMMIT, "now"], "'now' is nothing"),
    ],
)
def test_wrong_arguments_are_one_line(deploy: Deploy, arguments: list[str], words: str) -> None:
    done = deploy(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{NAME}: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_pipeline_calls_it_as_it_is(deploy: Deploy) -> None:
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    calls = re.findall(rf"scripts/{NAME} (.*)", workflow)
    assert len(calls) == 2
    for call in calls:
        assert deploy(*shlex.split(call.replace("$VERSION", COMMIT))).returncode == 7


def test_it_explains_itself(deploy: Deploy) -> None:
    done = deploy("--help")
    assert done.returncode == 0
    assert "--rollback-on-failure" in done.stdout
