import asyncio
import json
from importlib.resources import files
from pathlib import Path

import pytest

from bench.bodies import bodies
from bench.pgbench import PgbenchError, figures_of, run
from bench.subjects.usual.app import create_app
from chassis.embedded import EmbeddedPostgres
from chassis.testing.databases import TestDatabase, TestServer

from .conftest import NewClient
from .factories import PATH, HeldSource, Someone
from .rows import OWNERS, Rows, counts_of, execute, lasting, rows_of

REPORT = """\
number of transactions actually processed: 8670
number of failed transactions: 0 (0.000%)
latency average = 3.543 ms
initial connection time = 12.345 ms
tps = 4516.250000 (without initial connection time)
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    return EmbeddedPostgres(tmp_path).tool("pgbench")


async def test_each_transaction_is_a_booking_with_its_event_and_record(
    database: TestDatabase, program: list[str]
) -> None:
    figures = await run(database.url, program=program, seconds=1, clients=4)
    assert figures.transactions > 0
    assert figures.per_second > 0
    assert figures.latency_ms > 0
    assert await counts_of(database.url) == [figures.transactions] * 3


async def test_the_rows_are_those_of_the_usual_way(
    database: TestDatabase,
    program: list[str],
    test_server: TestServer,
    template: str,
    new_client: NewClient,
    shipper: Someone,
) -> None:
    await run(database.url, program=program, seconds=1, clients=1)
    content = {"content-type": "application/json", **shipper.headers(key="k-1")}
    seed = files("config_service").joinpath("seeds/booking-pricing.json").read_text()
    prices = HeldSource(json.loads(seed), version=1)
    with test_server.cloned(template, "booking") as theirs:
        async with new_client(create_app, theirs, prices) as client:
            await client.post(PATH, content=bodies(1)[0], headers=content)
        expected = lasting(await rows_of(theirs.url), without=OWNERS)
    assert lasting(first_of(await rows_of(database.url)), without=OWNERS) == expected


def first_of(rows: Rows) -> Rows:
    booking = rows["bookings"][0]
    named = str(booking["id"]).encode()
    return {
        "bookings": [booking],
        "outbox": [row for row in rows["outbox"] if row["subject"] == str(booking["id"])],
        "idempotency_records": [row for row in rows["idempotency_records"] if named in row["body"]],
    }


async def test_a_failure_is_no_figure(database: TestDatabase, program: list[str]) -> None:
    await execute(database.superuser_url, "REVOKE INSERT ON outbox FROM booking_runtime")
    with pytest.raises(PgbenchError, match="permission denied"):
        await run(database.url, program=program, seconds=1, clients=2)
    assert await counts_of(database.url) == [0, 0, 0]


async def test_it_can_be_cancelled(database: TestDatabase, program: list[str]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await run(database.url, program=program, seconds=60, clients=1)


def test_reads_the_report() -> None:
    figures = figures_of(REPORT)
    assert (figures.transactions, figures.per_second, figures.latency_ms) == (8670, 4516.25, 3.543)


def test_a_failed_transaction_is_no_figure() -> None:
    with pytest.raises(PgbenchError, match="failed transactions: 3"):
        figures_of(REPORT.replace("failed transactions: 0", "failed transactions: 3"))


@pytest.mark.parametrize("line", REPORT.splitlines()[:3] + REPORT.splitlines()[4:])
def test_a_report_without_a_figure_is_none(line: str) -> None:
    with pytest.raises(PgbenchError, match="lacks a figure"):
        figures_of(REPORT.replace(line, ""))
