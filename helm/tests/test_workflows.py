"""Workflows name what there is: files, targets of make, and every image."""

import re
from pathlib import Path
from typing import Any

import yaml

from ops.releases import ROOT, SERVICES
from ops.rollout.places import POLICIES
from ops.rollout.plan import read_policy

from .test_compose import containers

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Folders whose files workflows speak of.
FILE = re.compile(
    r"(?<![\w/-])(?:\./)?((?:scripts|infrastructure|k8s|helm/\w+)/[\w./-]+\.(?:sh|ya?ml|json))"
)


def steps() -> list[str]:
    """Everything that workflows run."""
    jobs = [job for path in WORKFLOWS for job in read(path)["jobs"].values()]
    return [step["run"] for job in jobs for step in job.get("steps", []) if "run" in step]


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def test_files_that_are_named_exist() -> None:
    named = {name for step in steps() for name in FILE.findall(step)}
    assert {"scripts/kind-smoke.sh", "scripts/blue-green-deploy.sh"} <= named
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


def test_a_quiet_staging_answers_enough_to_compare_versions() -> None:
    policy = read_policy(POLICIES / "staging.toml")
    shares = [min(weight, 100 - weight) / 100 for weight in policy.steps if weight < 100]
    # Requests a second that a service has to get, for both versions to be judged in each step.
    needed = policy.limits.minimum_requests / (policy.bake_seconds * min(shares))
    assert 0 < needed < 0.1


def test_everything_that_pods_run_is_pushed_to_the_account_that_they_pull_from() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    released = {one["name"] for one in jobs["image"]["strategy"]["matrix"]["include"]} | {"envoy"}
    assert set(jobs["deploy"]["needs"]) >= {"image", "envoy"}
    for environment in deploying():
        texts = [
            path.read_text() for path in (ROOT / "k8s" / "rendered" / environment).glob("*.yaml")
        ]
        pulled = re.findall(r"^ +image: \S+/ubertruck/([a-z-]+):", "".join(texts), re.MULTILINE)
        assert set(pulled) == released
        for name in ("image", "envoy"):
            [login] = [one for one in jobs[name]["steps"] if one.get("id") == "registries"]
            role = f"vars.{environment.upper()}_RELEASE_ROLE"
            assert role in login["with"][f"{environment}-role"]
            output = f"steps.registries.outputs.{environment} "
            assert output in str([one for one in jobs[name]["steps"] if one is not login])


def test_images_say_which_commit_they_are_of() -> None:
    release = read(ROOT / ".github" / "workflows" / "release.yml")
    [build] = [one for one in release["jobs"]["image"]["steps"] if one.get("id") == "build"]
    declared = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    told = dict(line.split("=", 1) for line in build["with"]["build-args"].splitlines())
    assert told.keys() == set(declared)
    assert told["VERSION"] == "${{ github.sha }}"


def uses() -> list[tuple[str, str]]:
    """Every action and workflow that is used, with the comment beside it."""
    paths = [*WORKFLOWS, *(ROOT / ".github" / "actions").glob("*/action.yml")]
    text = "\n".join(path.read_text() for path in paths)
    return re.findall(r"uses: (\S+)(?: # (.*))?$", text, re.MULTILINE)


def test_actions_are_pinned_by_their_hash_and_say_their_version() -> None:
    versions: dict[str, set[tuple[str, str]]] = {}
    for used, comment in uses():
        if used.startswith("$/"):
            at = ROOT / used.removeprefix("$/")
            assert at.is_file() or (at / "action.yml").is_file()
            continue
        name, _, pin = used.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", pin), used
        assert re.fullmatch(r"v\d+\.\d+\.\d+", comment), used
        versions.setdefault(name, set()).add((pin, comment))
    assert len(versions) > 5
    # One version of each everywhere.
    assert [name for name, found in versions.items() if len(found) > 1] == []


def test_every_job_says_what_it_may_and_how_long() -> None:
    for path in WORKFLOWS:
        workflow = read(path)
        assert workflow["permissions"] == {}, path.name
        for name, job in workflow["jobs"].items():
            assert job["permissions"], f"{path.name}: {name}"
            # Whoever calls a workflow can't limit it; its own jobs do.
            assert "timeout-minutes" in job or "uses" in job, f"{path.name}: {name}"


def deploying() -> dict[str, dict[str, Any]]:
    """The jobs that change an environment, by its name."""
    jobs = read(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"].values()
    return {job["environment"]: job for job in jobs}


def test_two_runs_of_the_same_don_t_meet() -> None:
    workflows = [read(path) for path in WORKFLOWS]
    limited = [one for workflow in workflows for one in (workflow, *workflow["jobs"].values())]
    groups = [one["concurrency"]["group"] for one in limited if "concurrency" in one]
    assert len(set(groups)) == len(groups) > 3


def test_what_waits_to_be_approved_of_holds_up_only_its_environment() -> None:
    for path in WORKFLOWS:
        if path.stem in ("release", "deploy"):
            assert "concurrency" not in read(path)
    for environment, job in deploying().items():
        # And nothing is cut off in the middle.
        assert job["concurrency"] == {
            "group": f"deploy-{environment}",
            "cancel-in-progress": False,
        }


def test_nothing_overtakes_a_later_release() -> None:
    for job in deploying().values():
        [checkout] = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
        assert checkout["with"]["fetch-depth"] == 0
        said = [step.get("run", "") for step in job["steps"]]
        [guard] = [number for number, run in enumerate(said) if "check-forward.sh" in run]
        assert guard < min(
            n for n, run in enumerate(said) if re.search(r"platform\.sh|deploy\.sh", run)
        )


def test_sessions_and_jobs_outlast_rollouts() -> None:
    before = 2400  # seconds for the stack, and for what services stand in
    assert set(deploying()) == {"staging", "production"}
    for environment, job in deploying().items():
        policy = read_policy(POLICIES / f"{environment}.toml")
        step = policy.ready_seconds + policy.bake_seconds
        longest = before + len(SERVICES) * len(policy.steps) * step + policy.keep_old_seconds
        [role] = [step for step in job["steps"] if "credentials" in step.get("uses", "")]
        assert longest <= role["with"]["role-duration-seconds"]
        assert longest <= job["timeout-minutes"] * 60


def test_nothing_is_put_into_a_command_line_by_an_expression() -> None:
    # A secret there is in the process list, and a title of somebody's is a command.
    assert [step for step in steps() if "${{" in step] == []
