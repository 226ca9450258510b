"""Deeds of commands, written down by way of a service's own database."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.ids import new_id
from chassis.recording import Deed, record
from chassis.testing.databases import TestDatabase

SUBJECT = new_id()


def deed(number: int, **changes: Any) -> Deed:
    values: dict[str, Any] = {
        "actor": "operator",
        "action": "rollout.move",
        "target": f"rollout/{SUBJECT}",
        "number": number,
        "ticket": "CHG-1",
        "details": {"phase": "shifting", "weight": 10},
        "source": "/booking",
        "type": "in.ubertruck.rollout.moved.v1",
        "subject": SUBJECT,
        "data": {"weight": 10},
        "at": datetime(2026, 11, 24, tzinfo=UTC),
    }
    return Deed.model_validate({**values, **changes})


async def written(database: Database) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Audit rows and events of the rollout."""
    async with database.begin() as session:
        rows = await session.execute(
            text("SELECT actor, change_ticket, details FROM audit_log ORDER BY id")
        )
        events = await session.execute(
            text("SELECT subject, aggregate_version, data FROM outbox ORDER BY aggregate_version")
        )
        return [tuple(row) for row in rows], [tuple(row) for row in events]


async def test_a_deed_is_written_once_with_its_event(database: TestDatabase) -> None:
    connected = Database.connect(database.url, name="test")
    try:
        await record(connected, [deed(1), deed(2)])
        await asyncio.gather(*(record(connected, [deed(2), deed(3)]) for _ in range(3)))
        rows, events = await written(connected)
    finally:
        await connected.dispose()
    details = {"phase": "shifting", "weight": 10}
    assert rows == [("operator", "CHG-1", {**details, "number": n}) for n in (1, 2, 3)]
    assert events == [(str(SUBJECT), n, {"weight": 10}) for n in (1, 2, 3)]


def run(lines: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "UBERTRUCK_DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, "-m", "chassis.recording"],
        input=lines,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_command_reads_a_deed_a_line(database: TestDatabase) -> None:
    done = await asyncio.to_thread(
        run, f"{deed(1).model_dump_json()}\n\n{deed(2).model_dump_json()}\n", database.url
    )
    assert (done.returncode, done.stderr) == (0, "")
    connected = Database.connect(database.url, name="test")
    try:
        assert len((await written(connected))[0]) == 2
    finally:
        await connected.dispose()


@pytest.mark.parametrize(
    ("lines", "url", "words"),
    [
        ("{", "postgresql+asyncpg://a:b@127.0.0.1:1/c", "can't be read"),
        ("", "nonsense", "can't be read"),
        (deed(1).model_dump_json(), "postgresql+asyncpg://a:b@127.0.0.1:1/c", "doesn't answer"),
    ],
)
def test_what_goes_wrong_is_one_line(lines: str, url: str, words: str) -> None:
    done = run(lines, url)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
