"""docker-compose.yml says of the platform what the charts say, and lets nobody in or out beside."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.settings import ServiceSettings
from ops.compose import layout
from ops.compose.secrets import volumes
from ops.releases import HELM, SERVICES
from ops.services import SERVICES as DESCRIBED
from ops.state import StateFolder

ROOT = HELM.parent
Container = dict[str, Any]
# Made elsewhere; what is asked of our own images isn't asked of them.
INITIALISES = {"prepare"}


@cache
def composed(*files: str) -> dict[str, Any]:
    """What Compose makes of the files, with every profile."""
    program = Path(sys.executable).with_name("docker-compose")
    named = [f"--file={ROOT / file}" for file in files or ("docker-compose.yml",)]
    done = subprocess.run(  # noqa: S603 - our own tool
        [str(program), *named, "--profile=*", "config", "--format=json"],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def containers() -> dict[str, Container]:
    return composed()["services"]


def limits(container: Container) -> tuple[float, int]:
    found = container["deploy"]["resources"]["limits"]
    return float(found["cpus"]), int(found["memory"])


def quantity(resources: dict[str, str]) -> tuple[float, int]:
    """Kubernetes' numbers: cores, and bytes."""
    cpu, memory = str(resources["cpu"]), resources["memory"]
    cores = float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
    assert memory.endswith("Mi")
    return cores, int(memory[:-2]) * 1024 * 1024


def chart(name: str) -> dict[str, Any]:
    return yaml.safe_load((HELM / name / "values.yaml").read_text())


@pytest.mark.parametrize("service", SERVICES)
def test_every_release_is_here_with_the_limits_of_its_chart(service: str) -> None:
    values = chart("service")
    expected = {
        service: quantity(values["api"]["resources"]["limits"]),
        f"{service}-worker": quantity(values["worker"]["resources"]["limits"]),
        f"{service}-migrate": quantity(values["worker"]["resources"]["limits"]),
    }
    assert {name: limits(containers()[name]) for name in expected} == expected


def test_the_edge_is_the_charts() -> None:
    values = chart("platform")["edge"]
    edge = containers()["edge"]
    assert limits(edge) == quantity(values["resources"]["limits"])
    assert edge["image"] == f"envoyproxy/envoy:{values['version']}"


def test_the_next_service_is_a_block_of_the_same_form() -> None:
    def shape(service: str, part: str) -> Container:
        container = dict(containers()[f"{service}{part}"])
        for different in ("environment", "depends_on", "image", "build", "volumes"):
            container.pop(different, None)
        return container

    for part in ("", "-worker", "-migrate"):
        shapes = [shape(service, part) for service in SERVICES]
        assert all(one == shapes[0] for one in shapes)


def test_only_the_edge_is_published_and_only_on_loopback() -> None:
    published = {
        (name, port["host_ip"], port["target"])
        for name, one in containers().items()
        for port in one.get("ports", [])
        if not one.get("profiles")
    }
    assert published == {("edge", "127.0.0.1", 8080)}
    everywhere = [port for one in containers().values() for port in one.get("ports", [])]
    assert {port["host_ip"] for port in everywhere} == {"127.0.0.1"}


def test_no_container_may_do_more_than_it_needs() -> None:
    for name, one in containers().items():
        assert one.get("cap_drop") == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["read_only"] is True, name
        assert not one.get("privileged"), name
        assert ("cap_add" in one) == (name in INITIALISES), name
        # Never Docker's own socket, nor the checkout.
        sources = [mount["source"] for mount in one.get("volumes", []) if mount["type"] == "bind"]
        assert all(
            source.startswith(str(ROOT / "observability")) or source.startswith(str(HELM))
            for source in sources
        ), name


def test_secrets_are_files_that_only_their_reader_has(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.prepare()
    made = {volume.name for volume in volumes(folder)}
    everything = {f"{name}-secrets" for name in made}
    having: dict[str, set[str]] = {}
    for name, one in containers().items():
        for mount in one.get("volumes", []):
            if mount["source"] in everything:
                having.setdefault(mount["source"], set()).add(name)
                assert mount.get("read_only", False) or name in INITIALISES
    assert set(having) == everything
    for service in SERVICES:
        migrator = having[f"{service}-migrator-secrets"]
        assert migrator == {"prepare", f"{service}-migrate"}
        runtime = having[f"{service}-secrets"] - {"people"}
        assert runtime == {"prepare", service, f"{service}-worker"}


def test_prepare_hands_out_to_where_others_look() -> None:
    targets = {mount["source"]: mount["target"] for mount in containers()["prepare"]["volumes"]}
    for source, target in targets.items():
        if source.endswith("-secrets"):
            assert target == str(layout.SECRETS / source.removesuffix("-secrets"))
    assert targets["operator"] == str(layout.STATE)
    assert (targets["edge"], targets["mesh"]) == (str(layout.EDGE), str(layout.MESH))


def test_nothing_secret_stands_in_an_environment() -> None:
    for name, one in containers().items():
        for variable, value in one.get("environment", {}).items():
            is_place = variable.endswith(("_DIR", "_FILE"))
            said = f"{variable}={value}".lower()
            assert is_place or not re.search(r"password|secret|postgresql", said), name


def test_settings_are_those_that_services_read() -> None:
    known = {f"UBERTRUCK_{name.upper()}" for name in ServiceSettings.model_fields}
    own = {"UBERTRUCK_SECRETS_DIR", "UBERTRUCK_MASTER_KEY_FILE", "UBERTRUCK_ADMIN_NETWORKS"}
    for name, one in containers().items():
        told = {n for n in one.get("environment", {}) if n.startswith("UBERTRUCK_")}
        assert told <= known | own, name


def test_each_service_goes_out_by_its_own_door() -> None:
    for service in DESCRIBED:
        at = layout.egress(service.node)
        for part in ("", "-worker"):
            told = containers()[f"{service.virtual}{part}"]["environment"]
            assert told["HTTP_PROXY"] == f"http://{at.host}:{at.port}"


def test_who_crashes_is_not_started_for_ever() -> None:
    for name, one in containers().items():
        ours = one["image"].startswith("ubertruck/")
        assert not ours or one["restart"] in ("no", "on-failure:5"), name


def test_images_are_pinned() -> None:
    fixed = re.compile(r":(dev|v?\d+(\.\d+)*)(@sha256:[0-9a-f]{64})?$")
    for name, one in containers().items():
        assert fixed.search(one["image"]), name


def test_reloaded_code_is_the_checkouts_and_lies_where_the_images_has_it() -> None:
    places = "/app/lib/python3.13/site-packages"
    assert f" {places}" in (ROOT / "Dockerfile").read_text()
    reloading = composed("docker-compose.yml", "compose.dev.yml")["services"]
    for service in SERVICES:
        for name in (service, f"{service}-worker"):
            one = reloading[name]
            code = [mount for mount in one["volumes"] if mount["type"] == "bind"]
            assert len(code) == 3, name
            for mount in code:
                source = Path(mount["source"])
                assert (source / "__init__.py").is_file(), name
                assert (mount["target"], mount["read_only"]) == (f"{places}/{source.name}", True)
            watched = {watch["path"] for watch in one["develop"]["watch"]}
            assert watched == {mount["source"] for mount in code}
