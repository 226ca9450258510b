"""The script for k6: run by node, over a stand-in for k6 that notes what the script does."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from booking.arrangements import ARRANGED
from booking.schemas import BookingOut, TransportRequest

LOAD = Path(__file__).parents[2] / "load"
K6 = Path(__file__).with_name("k6")
NODE = shutil.which("node")
TOKENS = ",".join(f"token-{number}" for number in range(60))
CHECKS = (
    "it is accepted",
    "it has a booking_id",
    "it has a price",
    "it is of what was asked",
)

pytestmark = pytest.mark.skipif(  # the tests may demand Python only, and node runs k6's scripts
    NODE is None, reason="no node, so load/*.js was not run"
)

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the script like k6; what it did."""
    for script in LOAD.glob("*.js"):
        shutil.copy(script, tmp_path)
    shutil.copytree(K6, tmp_path / "node_modules" / "k6")
    shutil.copy(K6 / "run.js", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')

    def once(
        answers: Sequence[Mapping[str, Any]] = (), iterations: int = 0, **plan: Any
    ) -> dict[str, Any]:
        env = {"TOKENS": TOKENS, **plan.pop("env", {})}
        given = {"files": {}, "answers": answers, "iterations": iterations, "env": env, **plan}
        result = subprocess.run(  # noqa: S603 - our own script
            [str(NODE), "run.js"],
            cwd=tmp_path,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return json.loads(result.stdout)

    return once


def answer(**changes: Any) -> dict[str, Any]:
    """An answer as booking gives it, to the first body of the script."""
    now = datetime.now(UTC)
    place = {"lat": 23.7957, "lng": 86.4304, "address": "Jharia coalfield, Dhanbad"}
    booking = BookingOut.model_validate(
        {
            "booking_id": uuid4(),
            "status": "requested",
            "version": 1,
            "tenant_id": uuid4(),
            "shipper_id": str(uuid4()),
            "quote_id": None,
            "pickup_location": place,
            "drop_location": place,
            "material_type": "coal",
            "quantity_mt": 1,
            "distance_m": 1000,
            "price": {"amount": 100},
            "created_at": now,
            "updated_at": now,
            "cancellation_fee": None,
            **dict.fromkeys(ARRANGED),
        }
    )
    document = {**json.loads(booking.model_dump_json()), **changes}
    return {"status": 200, "body": json.dumps(document)}


LOGGED_IN = {
    "status": 200,
    "body": json.dumps({"access_token": "a", "refresh_token": "r", "expires_in": 600}),
}
EXPIRED = {
    "status": 200,
    "body": json.dumps({"access_token": "b", "refresh_token": "s", "expires_in": 60}),
}
REFUSED = {"status": 401, "body": json.dumps({"type": "about:blank"})}
BROKEN_OFF = {"status": 0, "body": ""}


def test_the_load_of_the_specification(run: Run) -> None:
    options = run(env={"PROFILE": "full"})["options"]
    scenario = options["scenarios"]["booking"]
    assert scenario["executor"] == "ramping-arrival-rate"
    assert [(stage["duration"], stage["target"]) for stage in scenario["stages"]] == [
        ("5m", 100),
        ("10m", 1000),
        ("5m", 2000),
        ("10m", 2000),
        ("5m", 0),
    ]
    assert scenario["maxVUs"] == 2000
    assert options["thresholds"] == {
        "http_req_duration{name:booking}": ["p(99)<200"],
        "errors": [
            "rate<0.001",
            {"threshold": "rate<0.2", "abortOnFail": True, "delayAbortEval": "30s"},
        ],
        # Of 15 000 + 330 000 + 450 000 + 1 200 000 + 300 000 requests.
        "dropped_iterations": ["count<2295"],
    }


@pytest.mark.parametrize(("clients", "peak"), [(1, 40), (5, 200), (60, 400)])
def test_a_small_load_keeps_below_the_limit_for_each_client(
    run: Run, clients: int, peak: int
) -> None:
    tokens = ",".join(TOKENS.split(",")[:clients])
    stages = run(env={"TOKENS": tokens})["options"]["scenarios"]["booking"]["stages"]
    assert [stage["target"] for stage in stages] == [peak / 20, peak / 2, peak, peak, 0]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"TOKENS": ""}, "No clients"),
        ({"TOKENS": "a,b", "PROFILE": "full"}, "needs 50 clients or more; there are 2"),
        ({"PROFILE": "huge"}, 'not "huge"'),
    ],
)
def test_what_cant_be_run_is_said_before_anything_is_sent(
    run: Run, env: Mapping[str, str], said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        run(env=env)


def test_it_books_with_fresh_keys_and_everybodys_tokens(run: Run) -> None:
    did = run(answers=[answer()], iterations=240, env={"URL": "http://edge.test/"})
    sent = did["posts"]
    assert {post["url"] for post in sent} == {"http://edge.test/v1/booking"}
    headers = [post["params"]["headers"] for post in sent]
    assert len({each["Idempotency-Key"] for each in headers}) == 240
    assert {each["Authorization"] for each in headers} == {f"Bearer token-{n}" for n in range(60)}
    assert {post["params"]["tags"]["name"] for post in sent} == {"booking"}
    bodies = [post["body"] for post in sent]
    assert len({json.dumps(body) for body in bodies}) == 168
    for body in bodies:
        assert TransportRequest.model_validate(body).freight.quantity_mt <= 1000
        assert body["pickup_location"] != body["drop_location"]


def test_keys_of_two_runs_differ(run: Run) -> None:
    first, second = (run(answers=[answer()], iterations=1) for _ in range(2))
    begins = [
        did["said"][0].removeprefix("The keys of this run begin with ").removesuffix(".")
        for did in (first, second)
    ]
    assert begins[0] != begins[1]
    for did, begin in zip((first, second), begins, strict=True):
        assert did["posts"][0]["params"]["headers"]["Idempotency-Key"] == f"{begin}-0"


def test_a_booking_is_right(run: Run) -> None:
    did = run(answers=[answer()], iterations=1)
    assert did["checks"] == {name: [True] for name in CHECKS}
    assert did["errors"] == [False]


@pytest.mark.parametrize(
    ("wrong", "checks"),
    [
        (REFUSED, CHECKS),
        (BROKEN_OFF, CHECKS),
        ({"status": 200, "body": "null"}, CHECKS[1:]),
        (answer(booking_id=None), CHECKS[1:2]),
        (answer(price={"amount": 0, "currency": "INR"}), CHECKS[2:3]),
        (answer(price={"amount": 1.5, "currency": "INR"}), CHECKS[2:3]),
        (answer(quantity_mt=2), CHECKS[3:]),
    ],
)
def test_whatever_else_is_an_error(
    run: Run, wrong: Mapping[str, Any], checks: Sequence[str]
) -> None:
    did = run(answers=[wrong], iterations=1)
    assert [name for name, (held,) in did["checks"].items() if not held] == list(checks)
    assert did["errors"] == [True]


CLIENTS = [{"username": "load@one", "password": "secret"}]
BY_LOGIN = {"env": {"CLIENTS_FILE": "clients.json"}, "files": {"clients.json": json.dumps(CLIENTS)}}


def paths_of(did: Mapping[str, Any]) -> list[str]:
    return [post["url"].removeprefix("http://127.0.0.1:8080") for post in did["posts"]]


def test_clients_log_in_once_and_stay(run: Run) -> None:
    did = run(answers=[LOGGED_IN, answer()], iterations=2, **BY_LOGIN)
    assert paths_of(did) == ["/auth/login", "/v1/booking", "/v1/booking"]
    assert did["posts"][0]["body"] == CLIENTS[0]
    assert did["posts"][2]["params"]["headers"]["Authorization"] == "Bearer a"


def test_a_session_is_renewed_or_else_begun_again(run: Run) -> None:
    given = [EXPIRED, answer(), EXPIRED, answer(), REFUSED, LOGGED_IN, answer()]
    did = run(answers=given, iterations=3, **BY_LOGIN)
    assert paths_of(did) == [
        *("/auth/login", "/v1/booking"),
        *("/auth/refresh", "/v1/booking"),
        *("/auth/refresh", "/auth/login", "/v1/booking"),
    ]
    assert did["posts"][2]["body"] == {"refresh_token": "s"}


def test_who_cant_log_in_is_an_error(run: Run) -> None:
    did = run(answers=[REFUSED], iterations=1, **BY_LOGIN)
    assert did["thrown"] == ["load@one can't log in."]
    assert did["errors"] == [True]
