"""The pipeline's guard against a release that overtakes a later one."""

import json
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


def program(at: Path, name: str, script: str) -> None:
    """Put a program where the script looks first."""
    path = at / ".venv" / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def check(at: Path, *arguments: str, serving: dict[str, str], code: int = 0) -> tuple[int, str]:
    """Exit code and words of the script.

    helm says that these services' slots serve, each `service-colour`, and kubectl which image each
    has, or ends with `code`.
    """
    services = {slot.rpartition("-")[0]: {"active": slot.rpartition("-")[2]} for slot in serving}
    program(at, "helm", f"echo '{json.dumps({'services': services})}'")
    cases = "".join(
        f"*deployment/{slot}\\ *) echo {REPOSITORY}/{tag};; " for slot, tag in serving.items()
    )
    program(at, "kubectl", f'case "$*" in {cases} esac\nexit {code}')
    done = subprocess.run(  # noqa: S603 - our own script
        [at / "scripts" / "check-forward.sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    return done.returncode, done.stderr


def slots(auth: str, booking: str) -> dict[str, str]:
    """Two services' slots that serve these versions."""
    return {
        "auth-service-blue": f"auth-service:{auth}",
        "booking-service-green": f"booking-service:{booking}",
    }


def test_what_is_built_on_all_that_serves_goes_on(tmp_path: Path, commits: list[str]) -> None:
    first, second, third = commits
    pinned = f"{second}@sha256:{'0' * 64}"
    for serving in (slots(first, second), slots(third, third), slots(first, pinned)):
        assert check(tmp_path, third, serving=serving) == (0, "")


def test_what_is_older_than_a_part_of_it_is_refused(tmp_path: Path, commits: list[str]) -> None:
    first, second, third = commits
    code, words = check(tmp_path, second, serving=slots(first, third))
    assert code == 1
    assert f"{third} serves" in words
    assert words.count("\n") == 1


def test_what_can_t_be_told_is_refused(tmp_path: Path, commits: list[str]) -> None:
    first, second, third = commits
    assert check(tmp_path, third, serving=slots(first, "0" * 40))[0] == 1
    assert check(tmp_path, third, serving=slots(first, second), code=1)[0] == 1
    # An image without a tag.
    assert check(tmp_path, third, serving=slots(first, ""))[0] == 1


@pytest.mark.parametrize("arguments", [[], ["main"], ["0" * 40, "now"]])
def test_wrong_arguments_are_one_line(
    tmp_path: Path, commits: list[str], arguments: list[str]
) -> None:
    code, words = check(tmp_path, *arguments, serving=slots(commits[0], commits[0]))
    assert code == 2
    assert words.startswith("Usage: check-forward.sh")
    assert words.count("\n") == 1
