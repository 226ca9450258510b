"""The whole platform, real from Envoy to Postgres, in one long story: starting it takes seconds.

Each step is a function of its own; the test at the end is their order.
"""

import asyncio
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bench.platform import Platform
from ops import control, database, plane, stale
from ops.errors import OpsError
from ops.services import Layout
from ops.state import StateFolder

from .driver import UBERTRUCK, Driver
from .support import eventually
from .versions import lived_through
from .wellness import it_would_pass_its_own_validation

TRANSPORT = {
    "pickup_location": {"lat": 21.2514, "lng": 81.6296, "address": "Siltara Yard 4, Raipur"},
    "drop_location": {"lat": 21.1458, "lng": 79.0882, "address": "Butibori Plant 2, Nagpur"},
    "material_type": "coal",
    "quantity_mt": 120.5,
}
LIMIT_MIB = 900
PROCESSES = {
    "postgres",
    "edge",
    "mesh",
    *(f"{service}-blue-1" for service in ("auth", "config", "booking")),
    *(f"{service}-blue-worker" for service in ("auth", "config", "booking")),
}


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    """A platform that was never started."""
    found = Driver(tmp_path / ".ubertruck", tmp_path / "up.txt")
    yield found
    found.close()


def accepted(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.status_code} {answer.headers} {answer.text}"
    return answer.json()


def book(driver: Driver, key: str) -> dict[str, Any]:
    quote = accepted(driver.request("POST", "/v1/quotes", json=TRANSPORT))
    answer = driver.request(
        "POST",
        "/v1/booking",
        json={"quote_id": quote["quote_id"]},
        headers={"idempotency-key": key},
    )
    booking = accepted(answer)
    assert booking["price"] == quote["price"]
    return booking


def listed(driver: Driver) -> set[str]:
    found: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        answer = driver.request("GET", "/v1/booking", params={"limit": 100, **cursor})
        page = accepted(answer)
        found |= {booking["booking_id"] for booking in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def it_shows_its_steps_and_figures(driver: Driver) -> None:
    printed = driver.printed
    for step in ("Starting Postgres", "Starting the services", "Starting the edge"):
        assert re.search(rf"{step} +\d+\.\d s", printed)
    assert "shipper@demo" in printed
    figures = re.search(r"Up in (\d+\.\d) s; (\d+) processes use (\d+) MiB", printed)
    assert figures is not None
    assert int(figures[3]) < LIMIT_MIB


def everything_is_ready(driver: Driver) -> None:
    status = driver.status()
    assert set(status) == PROCESSES
    assert {row["state"] for row in status.values()} == {"ready"}
    assert all(row["memory"] > 0 for row in status.values())
    assert "booking-blue-1" in driver.do("status")
    assert set(json.loads(driver.do("status", "--json"))) == {"url", "memory", "processes"}


def only_workers_know_the_bus(driver: Driver) -> None:
    knowing = {
        name
        for name, row in driver.status().items()
        if b"\0UBERTRUCK_BUS_URL=" in Path(f"/proc/{row['pid']}/environ").read_bytes()
    }
    assert knowing == {name for name in PROCESSES if name.endswith("-worker")}


def a_shipper_books_and_cancels(driver: Driver) -> None:
    key = str(uuid4())
    booking = book(driver, key)
    again = driver.request(
        "POST",
        "/v1/booking",
        json={"quote_id": booking["quote_id"]},
        headers={"idempotency-key": key},
    )
    assert again.json() == booking
    path = f"/v1/booking/{booking['booking_id']}"
    assert driver.request("GET", path).json()["status"] == "requested"
    assert booking["booking_id"] in listed(driver)
    assert driver.request("POST", f"{path}/cancel").json()["status"] == "cancelled"
    assert driver.request("POST", f"{path}/cancel").status_code == 409


async def its_events_are_published(driver: Driver) -> None:
    await eventually(lambda: "no such event" in driver.do("events", "list", "booking", "--waiting"))
    listed = driver.do("events", "list", "booking", "--type", "booking.cancelled")
    assert "in.ubertruck.booking.cancelled.v1" in listed
    assert "no dead letters" in driver.do("events", "dead")


async def weights_are_set_while_it_runs(driver: Driver) -> None:
    """To a colour without processes, which no request survives, and back."""
    service = {"service": "booking-service"}
    for blue, status in ((0, 503), (100, 200)):
        weights = {"booking-service-blue": blue, "booking-service-green": 100 - blue}
        folder = StateFolder(driver.state)
        assert control.call(folder, "set-weights", weights=weights, **service)
        assert driver.ask("weights")["booking-service"] == weights
        await eventually(
            lambda: driver.request("GET", "/v1/booking").status_code == status  # noqa: B023
        )
    with pytest.raises(OpsError, match="from 0 to 100"):
        control.call(folder, "set-weights", weights=dict.fromkeys(weights, 0), **service)


def services_call_each_other_by_the_mesh(driver: Driver) -> None:
    socket_path = plane.admin_socket(StateFolder(driver.state))
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_path))) as admin:
        shown = admin.get("http://mesh/stats?filter=cluster.egress.*rq_total$").text
    called = {
        line.partition(".upstream")[0].removeprefix("cluster.egress_")
        for line in shown.splitlines()
        if not line.endswith(": 0")
    }
    assert {
        "booking-service-blue_auth-service-blue",
        "booking-service-blue_config-service-blue",
        "config-service-blue_auth-service-blue",
    } <= called


def each_demo_user_gets_a_token(driver: Driver) -> None:
    for alias in ("fleet", "driver", "operator", "admin"):
        me = driver.request("GET", "/auth/me", alias)
        assert me.json()["username"] == f"{alias}@demo"
    assert driver.do("token", "--as", "fleet").count(".") == 2
    assert re.fullmatch(r"\d{6}\n", driver.do("code", "--as", "finance"))
    assert "no demo user nobody" in driver.do("token", "--as", "nobody", code=2)


def the_demo_can_be_pasted(driver: Driver) -> None:
    shown = driver.do("demo", "--curl")
    commands = re.findall(r"^(TOKEN=.*|curl (?:.*\\\n)*.*)$", shown, re.MULTILINE)
    assert len(commands) == 6
    if shutil.which("curl") is None:
        return
    pasted = "\n".join(command.replace("curl -sS", "curl -sS --fail") for command in commands)
    result = subprocess.run(
        ["/bin/sh", "-e"], input=pasted, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    booked = re.findall(r'"booking_id": "([0-9a-f-]{36})"', shown)
    assert f'"booking_id":"{booked[0]}"' in result.stdout, "repeating it books nothing twice"


def the_demo_is_broken_off_on_a_terminal(driver: Driver) -> None:
    ours, theirs = pty.openpty()
    command = [str(UBERTRUCK), "--state", str(driver.state), "demo"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # which is how a terminal ends
        while part := os.read(ours, 4096):
            before, shown = shown, shown + part
            if b"Booked at" in shown and b"Booked at" not in before:
                process.send_signal(signal.SIGINT)
    os.close(ours)
    assert process.wait(20) == 130
    assert "one booking, three trucks" in shown.decode()
    assert re.search(r"Stopped at booking [0-9a-f-]{36}; what was done stays", shown.decode())


def the_demo_tells_it_all(driver: Driver) -> None:
    shown = driver.do("demo")
    assert "payment.reserved is on the bus" in shown
    assert len(re.findall(r"is loaded with .* on lorry receipt LR/", shown)) == 3
    claims = re.findall(r"is closed; claimed: (.*); evidence of \d+ entries: whole", shown)
    assert sorted(claims)[:2] == ["nothing", "nothing"]
    assert "₹" in sorted(claims)[2]
    assert "Tried: coal 5 % dearer" in shown
    [file, *_] = (driver.state / "demo").glob("trip-*.json")
    assert ": whole: trip " in driver.do("evidence", "verify", str(file))


def its_documents_are_there(driver: Driver) -> None:
    assert "Ubertruck" in driver.request("GET", "/docs").text
    for service in ("auth", "config", "booking"):
        assert driver.request("GET", f"/docs/{service}.json").json()["openapi"].startswith("3.")


def logs_are_kept(driver: Driver) -> None:
    assert '"message":"ready"' in driver.do("logs", "booking-blue-1", "-n", "1000")
    assert "booking-blue-worker: " in driver.do("logs", "booking", "-n", "1")


def a_second_one_is_refused(driver: Driver) -> None:
    assert "already runs on" in driver.do("up", code=1)
    assert "already runs on" in driver.do("restore", "/nowhere", code=1)


async def it_does_without_its_neighbours(driver: Driver) -> None:
    for process in ("config-blue-1", "auth-blue-1"):
        driver.ask("stop", process)
    driver.do("restart", "edge")
    assert driver.status()["auth-blue-1"]["state"] == "stopped"
    book(driver, str(uuid4()))
    await a_crashed_service_comes_back(driver)
    await asyncio.gather(
        asyncio.to_thread(driver.ask, "start", "auth-blue-1"),
        asyncio.to_thread(driver.ask, "start", "config-blue-1"),
    )


async def a_crashed_service_comes_back(driver: Driver) -> None:
    os.kill(driver.status()["booking-blue-1"]["pid"], signal.SIGKILL)
    driver.await_output("booking-blue-1 ended (signal SIGKILL); it is started again in")
    await eventually(lambda: driver.status()["booking-blue-1"]["state"] == "ready", seconds=60)
    assert driver.status()["booking-blue-1"]["restarts"] == 1
    book(driver, str(uuid4()))


async def nobody_notices_a_version_that_comes_and_goes(driver: Driver, folder: Path) -> None:
    """The short form; nightly it is whole, and has a hundred times as many requests."""
    up = Platform(layout=Layout.remembered(StateFolder(driver.state)), seconds=0)
    await lived_through(up, folder, least=1000, rate=60, pause=0.2, whole=False)


async def it_survives_an_absence_of_postgres(driver: Driver) -> None:
    before = {name: row["pid"] for name, row in driver.status().items() if name != "postgres"}
    driver.ask("stop", "postgres")
    refusal = driver.request("POST", "/v1/quotes", json=TRANSPORT)
    assert refusal.status_code == 503
    assert refusal.headers["content-type"] == "application/problem+json"
    assert driver.status()["booking-blue-1"]["state"] == "unready"
    driver.ask("start", "postgres")
    book(driver, str(uuid4()))
    after = {name: row["pid"] for name, row in driver.status().items() if name != "postgres"}
    assert after == before


def its_audit_is_whole(driver: Driver) -> None:
    verdict = driver.do("audit", "verify")
    assert verdict.count(": whole; ") == 3


async def keys_are_rotated(driver: Driver) -> None:
    def published() -> int:
        return len(driver.request("GET", "/auth/jwks.json").json()["keys"])

    before = published()
    assert "is published" in driver.do("keys", "rotate")
    await eventually(lambda: published() == before + 1)


def it_stops_and_leaves_nothing(driver: Driver) -> None:
    assert driver.processes()
    assert driver.end(signal.SIGTERM) == 0
    assert driver.processes() == []
    port = int(driver.url.rpartition(":")[2])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    assert "isn't running" in driver.do("status", code=1)


def a_backup_brings_back_what_it_holds(driver: Driver, file: Path) -> None:
    kept = book(driver, str(uuid4()))["booking_id"]
    assert "MiB" in driver.do("backup", str(file))
    lost = book(driver, str(uuid4()))["booking_id"]
    it_stops_and_leaves_nothing(driver)
    assert "--force" in driver.do("restore", str(file), code=2)
    driver.do("restore", str(file), "--force")
    driver.up()
    bookings = listed(driver)
    assert kept in bookings
    assert lost not in bookings
    book(driver, str(uuid4()))
    its_audit_is_whole(driver)


async def killed_it_takes_its_children_along(driver: Driver) -> None:
    driver.end(signal.SIGKILL)
    folder = StateFolder(driver.state)
    await eventually(lambda: stale.end_leftovers(folder) == [])
    await eventually(lambda: not database.server_of(folder, None).is_running)
    assert "isn't running" in driver.do("status", code=1)


@pytest.mark.long
@pytest.mark.untraced
@pytest.mark.timeout(900)
async def test_a_platform_from_its_first_start_to_its_end(driver: Driver, tmp_path: Path) -> None:
    driver.up()
    it_shows_its_steps_and_figures(driver)
    everything_is_ready(driver)
    only_workers_know_the_bus(driver)
    a_shipper_books_and_cancels(driver)
    await its_events_are_published(driver)
    services_call_each_other_by_the_mesh(driver)
    await it_would_pass_its_own_validation(driver)
    await weights_are_set_while_it_runs(driver)
    each_demo_user_gets_a_token(driver)
    the_demo_can_be_pasted(driver)
    the_demo_is_broken_off_on_a_terminal(driver)
    the_demo_tells_it_all(driver)
    its_documents_are_there(driver)
    logs_are_kept(driver)
    a_second_one_is_refused(driver)
    await nobody_notices_a_version_that_comes_and_goes(driver, tmp_path)
    await it_does_without_its_neighbours(driver)
    await it_survives_an_absence_of_postgres(driver)
    its_audit_is_whole(driver)
    await keys_are_rotated(driver)
    a_backup_brings_back_what_it_holds(driver, tmp_path / "backup.tar")
    await killed_it_takes_its_children_along(driver)
