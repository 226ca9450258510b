"""Moves in a database: an audit row and an event each, once."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.testing.databases import TestDatabase, TestServer, alembic_recipe
from contracts.rollout import ROLLOUT_MOVED, RolloutMoved
from ops.errors import OpsError
from ops.rollout import state
from ops.rollout.database_ledger import DatabaseLedger

from .plans import NOON, rollout_of

ROWS = "SELECT actor, action, target, change_ticket, details FROM audit_log ORDER BY id"
EVENTS = "SELECT type, source, subject, aggregate_version, data FROM outbox ORDER BY id"


@pytest.fixture
def database(test_server: TestServer) -> Iterator[TestDatabase]:
    recipe = alembic_recipe("booking")
    with test_server.cloned(test_server.ensure_template(recipe), "booking") as cloned:
        yield cloned


async def test_each_move_is_audited_and_told_once_however_often_it_is_written(
    database: TestDatabase,
) -> None:
    moved = state.abort(state.advance(rollout_of(), NOON), "it smells", NOON, actor="omar")
    ledgers = [DatabaseLedger(database.url) for _ in range(3)]
    await ledgers[0].write(moved.unwritten[:1])
    await asyncio.gather(*(ledger.write(moved.unwritten) for ledger in ledgers))
    found = Database.connect(database.url, name="test")
    async with found.begin() as session:
        rows = (await session.execute(text(ROWS))).mappings().all()
        events = (await session.execute(text(EVENTS))).mappings().all()
    await found.dispose()
    assert [row["details"]["action"] for row in rows] == ["start", "advance", "abort"]
    assert [row["actor"] for row in rows] == ["nadia", "nadia", "omar"]
    assert {(row["action"], row["target"], row["change_ticket"]) for row in rows} == {
        ("rollout.move", f"rollout/{moved.id}", "CHG-20261124")
    }
    assert [event["aggregate_version"] for event in events] == [1, 2, 3]
    assert {(event["type"], event["source"], event["subject"]) for event in events} == {
        (ROLLOUT_MOVED, "/booking", str(moved.id))
    }
    told = RolloutMoved.model_validate(events[-1]["data"])
    assert (told.action, told.service, told.reason) == ("abort", "booking-service", "it smells")


async def test_a_database_that_is_away_is_said() -> None:
    ledger = DatabaseLedger("postgresql+asyncpg://nobody:x@127.0.0.1:1/none")
    with pytest.raises(OpsError, match="Postgres doesn't answer"):
        await ledger.write(rollout_of().unwritten)
