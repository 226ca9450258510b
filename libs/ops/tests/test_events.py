"""`ubertruck events` over a booking database."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import RowMapping, text

from chassis.db import Database
from chassis.dead_letters import DeadLetter, Reason, park
from chassis.ids import new_id
from chassis.testing.databases import TestDatabase, TestServer, alembic_recipe
from ops import events
from ops.errors import OpsError
from ops.services import Layout, Service
from ops.state import StateFolder


class Booking:
    """A booking database, as its worker fills it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def send(self, subject: str, *, published: bool = False) -> None:
        self.execute(
            "INSERT INTO outbox (id, type, source, subject, aggregate_version, data,"
            " occurred_at, published_at) VALUES (:id, 'in.ubertruck.booking.requested.v1',"
            " '/booking', :subject, 1, '{}', now(), CASE WHEN :published THEN now() END)",
            id=new_id(),
            subject=subject,
            published=published,
        )

    def lose(self, body: bytes = b'{"told": "what"}') -> UUID:
        letter = DeadLetter(
            body=body, type="in.ubertruck.a.b.v1", reason=Reason.FAILED, error="Oh: no", attempts=3
        )

        async def work() -> None:
            database = Database.connect(self.url, name="test")
            async with database.begin() as session:
                await park(session, "booking", letter)
            await database.dispose()

        asyncio.run(work())
        return self.execute("SELECT id FROM dead_letters ORDER BY id DESC LIMIT 1")[0]["id"]

    def execute(self, statement: str, **values: object) -> list[RowMapping]:
        async def work() -> list[RowMapping]:
            database = Database.connect(self.url, name="test")
            async with database.begin() as session:
                result = await session.execute(text(statement), values)
                rows = list(result.mappings()) if statement.startswith("SELECT") else []
            await database.dispose()
            return rows

        return asyncio.run(work())


@pytest.fixture
def database(test_server: TestServer) -> Iterator[TestDatabase]:
    recipe = alembic_recipe("booking")
    with test_server.cloned(test_server.ensure_template(recipe), "booking") as cloned:
        yield cloned


@pytest.fixture
def booking(database: TestDatabase) -> Booking:
    return Booking(database.url)


@pytest.fixture
def folder(booking: Booking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StateFolder:
    """A platform whose booking is that one."""

    def url(_layout: Layout, _service: Service) -> str:
        return booking.url

    monkeypatch.setattr(Layout, "database_url", url)
    made = StateFolder(tmp_path)
    made.prepare()
    made.ports_file.write_text(json.dumps({"postgres": 5432}))
    return made


def test_sent_events_are_listed(
    folder: StateFolder, booking: Booking, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(
        *, type: str | None = None, subject: str | None = None, waiting: bool = False
    ) -> str:
        events.list_sent(folder, "booking", type=type, subject=subject, waiting=waiting, limit=20)
        return capsys.readouterr().out

    booking.send("first", published=True)
    booking.send("second")
    everything = listed()
    assert everything.index("second") < everything.index("first")
    assert "first" not in listed(waiting=True)
    assert "second" not in listed(subject="first")
    assert "first" in listed(type="requested")
    assert "no such event" in listed(type="cancelled")


def test_a_service_without_events_is_named(folder: StateFolder) -> None:
    with pytest.raises(OpsError, match="auth sends no events"):
        events.list_sent(folder, "auth", type=None, subject=None, waiting=False, limit=1)


def test_dead_letters_are_listed_shown_and_replayed(
    folder: StateFolder, booking: Booking, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*, resolved: bool = False) -> str:
        events.list_dead(folder, resolved=resolved, limit=20)
        return capsys.readouterr().out

    assert "no dead letters" in listed()
    letter = booking.lose()
    assert all(part in listed() for part in (str(letter), "failed", "Oh: no", "open"))
    events.show_dead(folder, letter)
    assert '"told": "what"' in capsys.readouterr().out
    assert events.replay(folder, [letter]) == 0
    assert "will be tried again" in capsys.readouterr().out
    assert "to be tried again" in listed()
    [audited] = booking.execute("SELECT * FROM audit_log")
    assert audited["action"] == "events.replay"
    assert audited["target"] == f"dead_letter/{letter}"
    booking.execute("UPDATE dead_letters SET resolved_at = now()")
    assert "no dead letters" in listed()
    assert "resolved" in listed(resolved=True)
    assert events.replay(folder, [letter]) == 1


def test_unreadable_bodies_are_shown_as_they_are(
    folder: StateFolder, booking: Booking, capsys: pytest.CaptureFixture[str]
) -> None:
    events.show_dead(folder, booking.lose(b"\xff[not json"))
    assert r"\xff[not json" in capsys.readouterr().out


def test_what_isnt_there_can_neither_be_shown_nor_replayed(folder: StateFolder) -> None:
    unknown = new_id()
    with pytest.raises(OpsError, match="no dead letter"):
        events.show_dead(folder, unknown)
    assert events.replay(folder, [unknown]) == 1


def test_without_postgres_it_says_so(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_layout: Layout, _service: Service) -> str:
        return "postgresql+asyncpg://nobody:x@127.0.0.1:9/booking"

    monkeypatch.setattr(Layout, "database_url", nowhere)
    with pytest.raises(OpsError, match="ubertruck up"):
        events.list_dead(folder, resolved=False, limit=1)
