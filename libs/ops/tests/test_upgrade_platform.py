"""The pipeline's upgrade of what services stand in."""

import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from ops.releases import ENVIRONMENTS, ROOT, release

NAME = "upgrade-platform.sh"


def upgrade(at: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script, in a checkout whose helm says what it was asked for and ends with 7."""
    helm = at / ".venv" / "bin" / "helm"
    helm.parent.mkdir(parents=True, exist_ok=True)
    helm.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    helm.chmod(0o755)
    (at / "scripts").mkdir(exist_ok=True)
    script = shutil.copy(ROOT / "scripts" / NAME, at / "scripts")
    return subprocess.run(  # noqa: S603 - our own script
        [script, *arguments], capture_output=True, text=True, check=False, cwd="/"
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_asks_for_the_release_that_is_rendered_and_checked(
    tmp_path: Path, environment: str
) -> None:
    done = upgrade(tmp_path, environment)
    assert done.returncode == 7
    said = done.stdout.splitlines()
    assert said[:5] == ["upgrade", "--install", "platform", "helm/platform", "--namespace"]
    values = [ROOT / after for one, after in pairwise(said) if one == "--values"]
    assert values == release(environment, "platform").values
    assert "--rollback-on-failure" in said


def test_helm_knows_its_options() -> None:
    told = subprocess.run(  # noqa: S603 - what `make install` put there
        [ROOT / ".venv" / "bin" / "helm", "upgrade", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in re.findall(r"--[a-z-]+", (ROOT / "scripts" / NAME).read_text()):
        assert f"{option} " in told


@pytest.mark.parametrize("arguments", [[], ["prod"], ["dev", "now"], ["dev; rm -r /"]])
def test_wrong_arguments_are_one_line(tmp_path: Path, arguments: list[str]) -> None:
    done = upgrade(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Usage: {NAME} dev|staging|production\n"


def test_every_environment_that_is_deployed_gets_it_before_its_services(tmp_path: Path) -> None:
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    order = re.findall(r"scripts/(upgrade-platform|blue-green-deploy)\.sh (.*)", workflow)
    assert [name for name, _ in order] == ["upgrade-platform", "blue-green-deploy"] * 2
    for (_, platform), (_, services) in zip(order[::2], order[1::2], strict=True):
        assert upgrade(tmp_path, *shlex.split(platform)).returncode == 7
        assert f"--environment {platform} " in services
