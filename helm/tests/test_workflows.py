"""Workflows name what there is: files, targets of make, and every image."""

import re
from pathlib import Path
from typing import Any

import yaml

from ops.releases import ROOT, SERVICES

from .test_compose import containers

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Folders whose files workflows speak of.
FILE = re.compile(
    r"(?<![\w/-])((?:scripts|infrastructure|k8s|helm/\w+)/[\w./-]+\.(?:sh|ya?ml|json))"
)


def steps() -> list[str]:
    """Everything that workflows run."""
    jobs = [job for path in WORKFLOWS for job in read(path)["jobs"].values()]
    return [step["run"] for job in jobs for step in job.get("steps", []) if "run" in step]


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def test_files_that_are_named_exist() -> None:
    named = {name for step in steps() for name in FILE.findall(step)}
    assert "scripts/kind-smoke.sh" in named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for step in steps() for name in re.findall(r"\bmake ([a-z][a-z-]+)", step)}
    assert {"check", "test", "test-compose"} <= named
    assert named <= targets


def test_every_image_is_built_scanned_and_released() -> None:
    images = {
        one["image"].partition(":")[0].removeprefix("ubertruck/"): one["build"]["args"]["SERVICE"]
        for one in containers().values()
        if "build" in one and one["build"]["target"] == "service"
    }
    assert set(images) == set(SERVICES)
    ci, release = (
        read(ROOT / ".github" / "workflows" / f"{name}.yml") for name in ("ci", "release")
    )
    scanned = ci["jobs"]["images"]["strategy"]["matrix"]["service"]
    assert sorted(scanned) == sorted(images.values())
    released = release["jobs"]["image"]["strategy"]["matrix"]["include"]
    assert {one["name"]: one["service"] for one in released} == images
    built = re.search(
        r"^for directory in (.*); do$", (ROOT / "scripts" / "build-images.sh").read_text(), re.M
    )
    assert built is not None
    assert sorted(built[1].split()) == sorted(images.values())
