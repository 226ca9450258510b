"""What ran out is told of once."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from booking.fleets import expiry
from booking.fleets.expiry import tell_expired
from chassis.db import Database
from contracts.fleet import DOCUMENT_EXPIRED, DocumentExpired

from .fleets import driver_row, truck_row
from .rows import events_of

LAST_DAY = date(2026, 11, 23)
# A minute past midnight in India, on the day after.
AFTER = datetime(2026, 11, 23, 18, 31, tzinfo=UTC)


async def test_tells_of_each_once(rollback_database: Database, session: AsyncSession) -> None:
    truck = truck_row()
    truck.documents[0].expires_on = LAST_DAY
    driver = driver_row(licence_expires_on=LAST_DAY)
    gone = truck_row(expires_on=LAST_DAY, retired_at=AFTER)
    session.add_all([truck, driver, gone])
    await session.flush()
    await tell_expired(rollback_database, at=AFTER - timedelta(minutes=2))
    assert await events_of(session, str(truck.id)) == []
    for _ in range(2):
        assert not await tell_expired(rollback_database, at=AFTER)
    [paper] = await events_of(session, str(truck.id))
    [licence] = await events_of(session, str(driver.id))
    assert paper["type"] == licence["type"] == DOCUMENT_EXPIRED
    told = [DocumentExpired.model_validate(event["data"]) for event in (paper, licence)]
    assert [(one.holder, one.kind) for one in told] == [
        ("truck", "registration"),
        ("driver", "licence"),
    ]
    assert {one.expired_on for one in told} == {LAST_DAY}
    assert await events_of(session, str(gone.id)) == []


async def test_tells_again_when_the_next_one_runs_out(
    rollback_database: Database, session: AsyncSession
) -> None:
    driver = driver_row(licence_expires_on=LAST_DAY)
    session.add(driver)
    await session.flush()
    await tell_expired(rollback_database, at=AFTER)
    renewed = LAST_DAY + timedelta(days=365)
    await session.execute(text("UPDATE drivers SET licence_expires_on = :day"), {"day": renewed})
    await tell_expired(rollback_database, at=AFTER)
    assert len(await events_of(session, str(driver.id))) == 1
    await tell_expired(rollback_database, at=AFTER + timedelta(days=365))
    assert len(await events_of(session, str(driver.id))) == 2


async def test_many_workers_at_once_tell_of_each_once(
    committing: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 3)
    async with committing.begin() as session:
        session.add_all(truck_row(expires_on=LAST_DAY) for _ in range(4))
        session.add_all(driver_row(licence_expires_on=LAST_DAY) for _ in range(4))

    async def work() -> None:
        while await tell_expired(committing, at=AFTER):
            pass

    await asyncio.gather(*(work() for _ in range(4)))
    await work()
    async with committing.begin() as session:
        subjects = await session.execute(
            text("SELECT subject, data ->> 'kind' AS kind FROM outbox")
        )
        told = Counter(tuple(row) for row in subjects)
    assert len(told) == 4 * 5 + 4
    assert set(told.values()) == {1}


async def test_broken_off_it_is_told_next_time(committing: Database) -> None:
    async with committing.begin() as session:
        session.add(driver_row(licence_expires_on=LAST_DAY))
    task = asyncio.create_task(tell_expired(committing, at=AFTER))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await tell_expired(committing, at=AFTER)
    async with committing.begin() as session:
        assert await session.scalar(text("SELECT count(*) FROM outbox")) == 1
