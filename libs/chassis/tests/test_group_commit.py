import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from chassis import group_commit
from chassis.db import Database, DatabaseUnavailable
from chassis.embedded import EmbeddedPostgres
from chassis.group_commit import GroupCommit, Overloaded, Refused
from chassis.group_transaction import KEPT, Write
from chassis.idempotency import Answer, KeyInFlight, KeyReused
from chassis.testing.databases import TestDatabase

from .grouping import THINGS, TOO_BIG, CutDatabase, create_things, write

# Operations of a transaction: BEGIN, locks, kept answers, rows, COMMIT. The first is a warm-up.
TRANSACTION = 5


@pytest.fixture
async def things(database: TestDatabase) -> AsyncGenerator[Database]:
    await create_things(database)
    connected = Database.connect(database.url, name="test")
    yield connected
    await connected.dispose()


@asynccontextmanager
async def grouping(database: Database, **options: int) -> AsyncGenerator[GroupCommit]:
    commits = GroupCommit(database, THINGS, **options)
    async with commits.running():
        yield commits


def counted(database: TestDatabase, cuts: Mapping[int, bool] = MappingProxyType({})) -> CutDatabase:
    """The database over a connection whose operations are counted, and cut at some."""
    connected = CutDatabase.connect(database.url, name="test")
    assert isinstance(connected, CutDatabase)
    connected.cuts = cuts
    return connected


async def at_once(commits: GroupCommit, *writes: Write) -> list[Any]:
    calls = (commits.commit(each) for each in writes)
    return await asyncio.gather(*calls, return_exceptions=True)


async def scalar(database: Database, query: str, **values: object) -> Any:
    async with database.begin() as session:
        return await session.scalar(text(query), values)


async def owner_runs(database: TestDatabase, *statements: str) -> None:
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        for statement in statements:
            await session.execute(text(statement))
    await owner.dispose()


async def counts(database: Database) -> tuple[int, int, int]:
    """Rows, events, records."""
    return (
        await scalar(database, "SELECT count(*) FROM things"),
        await scalar(
            database, "SELECT count(*) FROM outbox JOIN things ON subject = things.id::text"
        ),
        await scalar(database, "SELECT count(*) FROM idempotency_records"),
    )


async def test_all_of_a_write_is_there_when_it_is_answered(things: Database) -> None:
    wanted = write("one", size=3, key="k")
    async with grouping(things) as commits:
        answer = await commits.commit(wanted)
        assert answer == wanted.answer
        assert await counts(things) == (1, 1, 1)
        row = await scalar(things, "SELECT things::text FROM things")
        assert row == f"({wanted.id},one,3)"
        data = await scalar(things, "SELECT data FROM outbox WHERE id = :id", id=wanted.event["id"])
        assert data == {"name": "one"}
        again = await commits.commit(write("one", size=3, key="k"))
    assert again == replace(wanted.answer, replayed=True)
    assert await counts(things) == (1, 1, 1)


async def test_calls_at_once_share_transactions(things: Database) -> None:
    writes = [write(key=str(n)) for n in range(100)]
    async with grouping(things) as commits:
        answers = await at_once(commits, *writes)
    assert answers == [each.answer for each in writes]
    assert await counts(things) == (100, 100, 100)
    # The first is on its way when the others come; they need two batches of at most 64.
    assert await scalar(things, "SELECT count(DISTINCT xmin::text) FROM things") <= 3


@pytest.mark.parametrize("batch", [1, 3, 64])
async def test_a_key_at_once_is_one_row_and_one_answer(things: Database, batch: int) -> None:
    async with grouping(things, batch=batch) as commits, grouping(things, batch=batch) as others:
        answers = await asyncio.gather(
            *((commits, others)[n % 2].commit(write(key="k")) for n in range(20))
        )
    assert len({answer.body for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
    assert await counts(things) == (1, 1, 1)


async def test_a_key_twice_in_a_batch_waits_its_turn(
    database: TestDatabase, things: Database
) -> None:
    counting = counted(database)
    async with grouping(counting) as commits:
        await at_once(commits, write(), *(write(key="k") for _ in range(20)))
    await counting.dispose()
    assert await counts(things) == (2, 2, 1)
    # One batch in which the key is new, and one in which it is kept and nothing is to write.
    assert counting.done == 3 * TRANSACTION - 1


@pytest.mark.parametrize("sizes", ["never looked at", "known to be empty"])
async def test_a_plan_that_was_made_over_empty_tables_goes_by_the_index(
    database: TestDatabase, things: Database, sizes: str
) -> None:
    if sizes == "known to be empty":
        await owner_runs(database, "ANALYZE idempotency_records")
    async with things.begin() as session:
        for statement in (
            "SET LOCAL plan_cache_mode = force_generic_plan",
            "SET LOCAL enable_seqscan = off",
            f"PREPARE kept (uuid[], text[], text[], text[]) AS {KEPT}".replace(":", "\\:"),
        ):
            await session.execute(text(statement))
        plan = "\n".join(
            await session.scalars(text("EXPLAIN EXECUTE kept ('{}', '{}', '{}', '{}')"))
        )
    assert "Index Scan using idempotency_records" in plan
    assert "Seq Scan" not in plan
    assert "Hash" not in plan


async def test_a_key_for_something_else_is_refused(things: Database) -> None:
    async with grouping(things) as commits:
        first, second, third = await at_once(
            commits, write("one", key="k"), write("two", key="k"), write("one", key="k")
        )
        late = await at_once(commits, write("two", key="k"))
    assert isinstance(first, Answer)
    assert third == replace(first, replayed=True)
    assert [type(second), type(late[0])] == [KeyReused, KeyReused]
    assert await counts(things) == (1, 1, 1)


async def test_a_key_is_free_again_when_its_write_is_refused(things: Database) -> None:
    async with grouping(things) as commits:
        bad, good = await at_once(commits, write("bad", key="k"), write("good", key="k"))
    assert isinstance(bad, Refused)
    assert isinstance(good, Answer)
    assert not good.replayed
    assert await counts(things) == (1, 1, 1)


async def test_what_is_refused_fails_alone(things: Database) -> None:
    writes = [write(f"n{n}") for n in range(40)]
    writes[7] = write("bad")
    writes[8] = write(size=TOO_BIG)
    writes[30] = replace(write(), row=("too few values",))
    async with grouping(things) as commits:
        outcomes = await at_once(commits, *writes)
    failed = {n: each for n, each in enumerate(outcomes) if not isinstance(each, Answer)}
    assert {n: type(error) for n, error in failed.items()} == {
        7: Refused,
        8: Refused,
        30: asyncpg.InterfaceError,
    }
    assert failed[7].constraint == "good"
    assert all(outcomes[n] == writes[n].answer for n in range(40) if n not in failed)
    assert await counts(things) == (37, 37, 0)


async def test_what_stands_alone_is_not_waited_for_by_others(things: Database) -> None:
    alone = [write("single", alone=("single",)) for _ in range(3)]
    async with grouping(things) as commits:
        outcomes = await at_once(commits, *alone, write("good"))
    assert outcomes[0] == alone[0].answer
    assert [error.constraint for error in outcomes[1:3]] == ["single", "single"]
    assert isinstance(outcomes[3], Answer)


@pytest.mark.parametrize("key", ["k", None])
async def test_a_name_that_another_transaction_holds(
    things: Database, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.setattr(group_commit, "LOCK_SECONDS", 0.1)
    held = write(key=key)
    lock = "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"
    async with grouping(things) as commits:
        async with things.begin() as session:
            await session.execute(text(lock), {"name": held.locks[0]})
            outcomes = await at_once(commits, held, write("neighbour"))
            assert isinstance(outcomes[0], DatabaseUnavailable if key is None else KeyInFlight)
            assert isinstance(outcomes[1], Answer)
        assert isinstance(await commits.commit(held), Answer)


async def test_a_caller_who_left_takes_nobody_along(things: Database) -> None:
    writes = [write(str(n)) for n in range(10)]
    async with grouping(things) as commits:
        calls = [asyncio.create_task(commits.commit(each)) for each in writes]
        await asyncio.sleep(0)
        for call in calls[1::2]:
            call.cancel()
        outcomes: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[::2] == [each.answer for each in writes[::2]]
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[1::2])
    assert await scalar(things, "SELECT string_agg(name, '' ORDER BY name) FROM things") == "02468"


async def test_more_than_can_wait_are_sent_away(things: Database) -> None:
    async with grouping(things, capacity=5) as commits:
        outcomes = await at_once(commits, *(write() for _ in range(8)))
        sent_away = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
        assert len(sent_away) == 3, outcomes
        assert sent_away[0].headers == {"Retry-After": "1"}
        assert isinstance(await commits.commit(write()), Answer)
    assert await counts(things) == (6, 6, 0)


@pytest.mark.parametrize("confused", [False, True], ids=["closed", "confused"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", range(TRANSACTION, TRANSACTION + 10))
async def test_a_connection_that_dies_at_any_moment(
    things: Database, database: TestDatabase, operation: int, after: bool, confused: bool
) -> None:
    cut = counted(database, {operation: after})
    cut.confused = confused
    writes = [write(str(n), key=str(n) if n % 2 else None) for n in range(6)]
    async with grouping(cut, batch=4) as commits:
        outcomes = await at_once(commits, *writes, write("bad"))
    await cut.dispose()
    assert outcomes[:6] == [each.answer for each in writes]
    assert isinstance(outcomes[6], Refused)
    assert await counts(things) == (6, 6, 3)


async def test_a_lost_transaction_that_ends_late(things: Database, database: TestDatabase) -> None:
    cut = counted(database, {TRANSACTION: False})
    wanted = write()
    async with grouping(cut) as commits, things.begin() as session:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"
        await session.execute(text(lock), {"name": wanted.locks[0]})
        call = asyncio.create_task(commits.commit(wanted))
        while cut.done < TRANSACTION + 5:
            await asyncio.sleep(0.01)
        values = {"id": wanted.id}
        await session.execute(text("INSERT INTO things VALUES (:id, 'late', 1)"), values)
        await session.commit()
        assert await call == wanted.answer
    await cut.dispose()
    assert await scalar(things, "SELECT count(*) FROM things") == 1


async def test_a_deadlock_is_tried_again_and_no_room_is_told(
    things: Database, database: TestDatabase
) -> None:
    await owner_runs(
        database,
        "CREATE SEQUENCE tries",
        "GRANT USAGE, SELECT ON tries TO chassis_runtime",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.name = 'full' THEN RAISE EXCEPTION USING ERRCODE = '53100'; END IF;"
        " IF NEW.name = 'unlucky' OR nextval('tries') < 4"
        " THEN RAISE EXCEPTION USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    async with grouping(things) as commits:
        assert isinstance(await commits.commit(write()), Answer)
        assert await scalar(things, "SELECT last_value FROM tries") == 4
        for name in ("full", "unlucky"):
            [error] = await at_once(commits, write(name))
            assert isinstance(error, DatabaseUnavailable)
    assert await counts(things) == (1, 1, 0)


async def test_without_a_database_everybody_is_told_at_once(
    postgres_server: EmbeddedPostgres,
) -> None:
    url = postgres_server.superuser_url().replace("postgresql:", "postgresql+asyncpg:")
    away = Database.connect(url, name="test")
    await asyncio.to_thread(postgres_server.stop, "immediate")
    async with grouping(away) as commits:
        outcomes = await at_once(commits, *(write() for _ in range(5)))
        assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 5
        assert [type(each) for each in await at_once(commits, write())] == [DatabaseUnavailable]
    await away.dispose()


async def test_who_waits_at_the_end_is_told(things: Database) -> None:
    async with grouping(things) as commits:
        calls = [asyncio.create_task(commits.commit(write())) for _ in range(3)]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
