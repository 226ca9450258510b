import pytest
from sqlalchemy.engine import make_url

from bench.subjects.databases import prepare_database
from chassis.db import Database
from chassis.embedded import EmbeddedPostgres
from chassis.schema import schema_problem

from .rows import counts_of

PASSWORDS = {"booking_migrator": "owns", "booking_runtime": "runs", "another": "unused"}


@pytest.fixture
def server(postgres_server: EmbeddedPostgres) -> str:
    """A server whose roles are nobody else's."""
    return postgres_server.superuser_url()


async def test_makes_a_database_that_booking_could_use(server: str) -> None:
    url = await prepare_database(server, name="booking_apart", passwords=PASSWORDS)
    made = make_url(url)
    assert (made.username, made.password, made.database) == (
        "booking_runtime",
        "runs",
        "booking_apart",
    )
    database = Database.connect(url, name="test")
    assert await schema_problem(database, 1) is None
    await database.dispose()
    assert await counts_of(url) == [0, 0, 0]


async def test_twice_is_no_error(server: str) -> None:
    for _ in range(2):
        await prepare_database(server, name="booking_apart", passwords=PASSWORDS)
