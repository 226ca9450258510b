"""The pipeline's guard against a release that overtakes a later one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ops.releases import ROOT

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
REPOSITORY = "1.dkr.ecr.ap-south-1.amazonaws.com/ubertruck"


def git(at: Path, *arguments: str) -> str:
    """What git says in a folder."""
    done = subprocess.run(  # noqa: S603 - git with arguments of ours
        [*GIT, *arguments], cwd=at, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def commits(tmp_path: Path) -> list[str]:
    """Three commits, each on top of the one before, in a checkout with the script."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "check-forward.sh", tmp_path / "scripts")
    git(tmp_path, "init", "--quiet")
    made: list[str] = []
    for name in "abc":
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", name)
        made.append(git(tmp_path, "rev-parse", "HEAD"))
    return made


def check(at: Path, *arguments: str, serving: str, code: int = 0) -> tuple[int, str]:
    """Exit code and words of the script, where kubectl tells these images and ends with `code`."""
    kubectl = at / ".venv" / "bin" / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho '{serving}'\nexit {code}\n")
    kubectl.chmod(0o755)
    done = subprocess.run(  # noqa: S603 - our own script
        [at / "scripts" / "check-forward.sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    return done.returncode, done.stderr


def images(*versions: str) -> str:
    """As kubectl tells the images of pods."""
    return " ".join(f"{REPOSITORY}/booking-service:{version}" for version in versions)


def test_what_is_built_on_all_that_serves_goes_on(tmp_path: Path, commits: list[str]) -> None:
    first, second, third = commits
    pinned = f"{images(second)}@sha256:{'0' * 64}"
    for serving in ("", images(first, second), images(third), pinned):
        assert check(tmp_path, third, serving=serving) == (0, "")


def test_what_is_older_than_a_part_of_it_is_refused(tmp_path: Path, commits: list[str]) -> None:
    first, second, third = commits
    code, words = check(tmp_path, second, serving=images(first, third))
    assert code == 1
    assert f"{third} serves" in words
    assert words.count("\n") == 1


def test_what_can_t_be_told_is_refused(tmp_path: Path, commits: list[str]) -> None:
    assert check(tmp_path, commits[2], serving=images("0" * 40))[0] == 1
    assert check(tmp_path, commits[2], serving="", code=1)[0] == 1


@pytest.mark.parametrize("arguments", [[], ["main"], ["0" * 40, "now"]])
def test_wrong_arguments_are_one_line(
    tmp_path: Path, commits: list[str], arguments: list[str]
) -> None:
    code, words = check(tmp_path, *arguments, serving=images(commits[0]))
    assert code == 2
    assert words.startswith("Usage: check-forward.sh")
    assert words.count("\n") == 1
