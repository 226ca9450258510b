import shutil
from uuid import uuid4

import pytest

from bench.errors import BenchError, WrongAnswer
from bench.ledger import Ledger, require_durable
from bench.requests import Answered
from chassis.embedded import EmbeddedPostgres
from chassis.testing.databases import TestDatabase
from chassis.testing.servers import make_folder

from .books import book, execute


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes behind a test's back."""
    monkeypatch.setattr("bench.ledger.QUIET_SECONDS", 0.01)


async def settle(database: TestDatabase, meddling: str = "", *, more: int = 0) -> None:
    """Book three times, meddle, and settle as if `more` requests than that had been sent."""
    async with Ledger.of(database.superuser_url, database.name) as ledger:
        answered = await book(database.superuser_url, many=3)
        if meddling:
            await execute(database.superuser_url, meddling)
        await ledger.settle(answered, sent=len(answered) + more)


async def test_all_is_well(database: TestDatabase) -> None:
    await book(database.superuser_url)
    async with Ledger.of(database.superuser_url, database.name) as ledger:
        answered = await book(database.superuser_url, many=7)
        # Two callers never heard of theirs, and three requests got nowhere.
        came = await ledger.settle(answered[2:], sent=10)
    assert tuple(came) == (7, 7, 7)


@pytest.mark.parametrize(
    ("meddling", "complaint"),
    [
        ("DELETE FROM outbox WHERE subject = (SELECT max(subject) FROM outbox)", "don't match"),
        ("DELETE FROM idempotency_records", "don't match"),
        ("DELETE FROM bookings", "don't match"),
        ("UPDATE bookings SET price_paise = price_paise + 1", "3 answered bookings are not in"),
        ("UPDATE outbox SET subject = (SELECT max(subject) FROM outbox)", "3 bookings don't have"),
        ("UPDATE outbox SET type = 'in.ubertruck.booking.cancelled.v1'", "3 bookings don't have"),
        (
            "UPDATE bookings SET price_basis = jsonb_set(price_basis, '{distance_m}', '1000')",
            "paise don't follow from",
        ),
    ],
)
async def test_what_is_not_as_it_should_be(
    database: TestDatabase, meddling: str, complaint: str
) -> None:
    with pytest.raises(WrongAnswer, match=complaint):
        await settle(database, meddling)


async def test_more_bookings_than_requests(database: TestDatabase) -> None:
    with pytest.raises(WrongAnswer, match="3 answers and 2 requests, but 3 bookings"):
        await settle(database, more=-1)


async def test_an_answer_without_a_booking(database: TestDatabase) -> None:
    async with Ledger.of(database.superuser_url, database.name) as ledger:
        answered = [*(await book(database.superuser_url)), Answered(booking_id=uuid4(), paise=1)]
        with pytest.raises(WrongAnswer, match="2 answers and 2 requests, but 1 bookings"):
            await ledger.settle(answered, sent=2)


async def test_one_booking_for_two(database: TestDatabase) -> None:
    async with Ledger.of(database.superuser_url, database.name) as ledger:
        first, _ = await book(database.superuser_url, many=2)
        with pytest.raises(WrongAnswer, match="Two requests were answered with one booking"):
            await ledger.settle([first, first], sent=2)


async def test_commits_have_to_be_durable(superuser_url: str) -> None:
    with pytest.raises(BenchError, match="with fsync off"):
        await require_durable(superuser_url)


async def test_a_durable_server_will_do() -> None:
    folder = make_folder()
    server = EmbeddedPostgres(folder / "data", durable=True)
    server.initialise()
    server.start()
    try:
        await require_durable(server.superuser_url())
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)
