"""Whatever is asked at once, of two processes, while connections die: one row, one answer."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis import group_commit
from chassis.db import Database
from chassis.group_commit import GroupCommit, Refused
from chassis.group_transaction import Write
from chassis.idempotency import Answer, KeyReused
from chassis.testing.databases import TestDatabase

from .grouping import THINGS, TOO_BIG, CutDatabase, create_things, write

pytestmark = pytest.mark.untraced


@dataclass(frozen=True, slots=True)
class Ask:
    """One call: of which process, for what, under which key, and when it is given up."""

    process: int
    name: str
    size: int
    key: int | None
    starts_after: int
    cancelled_after: int | None

    @property
    def is_good(self) -> bool:
        return self.name != "bad" and self.size != TOO_BIG


asks = st.builds(
    Ask,
    process=st.sampled_from([0, 1]),
    name=st.sampled_from(["good", "good", "better", "bad"]),
    size=st.sampled_from([1, 1, 1, TOO_BIG]),
    key=st.none() | st.integers(0, 2),
    starts_after=st.integers(0, 5),
    cancelled_after=st.none() | st.none() | st.integers(0, 12),
)
cuts = st.dictionaries(st.integers(0, 20), st.booleans(), max_size=3)


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller wrote and was told."""

    ask: Ask
    write: Write
    outcome: Answer | BaseException


async def _call(commits: GroupCommit, ask: Ask, wanted: Write) -> Told:
    # Turns of the event loop and not seconds: many turns pass in one commit, and few between two.
    for _ in range(ask.starts_after):
        await asyncio.sleep(0)
    call = asyncio.create_task(commits.commit(wanted))
    if ask.cancelled_after is not None:
        for _ in range(ask.cancelled_after):
            await asyncio.sleep(0.0005)
        call.cancel()
    [outcome] = await asyncio.gather(call, return_exceptions=True)
    return Told(ask, wanted, outcome)


async def _play(url: str, asked: Sequence[Ask], cut: Sequence[dict[int, bool]], run: str) -> None:
    async with AsyncExitStack() as stack:
        processes: list[GroupCommit] = []
        for number in (0, 1):
            database = CutDatabase.connect(url, name="test", pool_size=2)
            assert isinstance(database, CutDatabase)
            database.cuts = cut[number]
            stack.push_async_callback(database.dispose)
            commits = GroupCommit(database, THINGS, batch=5)
            await stack.enter_async_context(commits.running())
            processes.append(commits)
        told = await asyncio.gather(
            *(
                _call(
                    processes[ask.process],
                    ask,
                    write(
                        ask.name,
                        size=ask.size,
                        key=None if ask.key is None else f"{run} {ask.key}",
                    ),
                )
                for ask in asked
            )
        )
    await _check(url, told)


async def _check(url: str, told: Sequence[Told]) -> None:
    counted = await _count(url, [each.write for each in told])
    by_key: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        rows = counted[str(each.write.id)]
        assert rows in ((0, 0, 0), (1, 1, 0 if each.write.claim is None else 1))
        if not each.ask.is_good:
            assert rows == (0, 0, 0)
            assert isinstance(each.outcome, Exception | asyncio.CancelledError)
        if each.write.claim is not None:
            by_key[each.write.claim.key].append(each)
        elif each.ask.is_good and not _is_cancelled(each):
            assert each.outcome == each.write.answer
            assert rows == (1, 1, 0)
    for group in by_key.values():
        _check_key(group, counted)


def _check_key(group: Sequence[Told], counted: dict[str, tuple[int, int, int]]) -> None:
    winners = [each for each in group if counted[str(each.write.id)] == (1, 1, 1)]
    assert len(winners) <= 1
    if any(each.ask.is_good and not _is_cancelled(each) for each in group):
        assert winners
    for each in group:
        if _is_cancelled(each):
            continue
        if isinstance(each.outcome, Answer):
            [winner] = winners
            assert winner.ask.name == each.ask.name
            assert each.outcome.body == winner.write.answer.body
            assert each.outcome.headers == winner.write.answer.headers
            assert each.outcome.replayed is (each is not winner)
        elif each.ask.is_good:
            assert isinstance(each.outcome, KeyReused)
        else:
            assert isinstance(each.outcome, KeyReused | Refused)


def _is_cancelled(told: Told) -> bool:
    return isinstance(told.outcome, asyncio.CancelledError)


async def _count(url: str, writes: Sequence[Write]) -> dict[str, tuple[int, int, int]]:
    """Rows, events and records of each write."""
    database = Database.connect(url, name="test", pool_size=1)
    statement = text(
        "SELECT id, (SELECT count(*) FROM things WHERE things.id::text = wanted.id),"
        " (SELECT count(*) FROM outbox WHERE subject = wanted.id),"
        " (SELECT count(*) FROM idempotency_records WHERE body = convert_to(wanted.id, 'UTF8'))"
        " FROM unnest(CAST(:ids AS text[])) AS wanted (id)"
    )
    async with database.begin() as session:
        found = await session.execute(statement, {"ids": [str(each.id) for each in writes]})
        counted = {row[0]: (row[1], row[2], row[3]) for row in found}
    await database.dispose()
    return counted


@pytest.fixture
def things(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> TestDatabase:
    monkeypatch.setattr(group_commit, "RECONNECT_PAUSE", 0.01)
    asyncio.run(create_things(database))
    return database


runs = iter(range(10**9))
patient = settings(
    deadline=None,
    # One database for all examples: their keys and ids are their own.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(patient, max_examples=40)
@given(asked=st.lists(asks, min_size=1, max_size=25))
def test_calls_at_once(things: TestDatabase, asked: list[Ask]) -> None:
    asyncio.run(_play(things.url, asked, ({}, {}), f"run {next(runs)}"))


@settings(patient, max_examples=40)
@given(asked=st.lists(asks, min_size=1, max_size=25), first=cuts, second=cuts)
def test_calls_at_once_while_connections_die(
    things: TestDatabase, asked: list[Ask], first: dict[int, bool], second: dict[int, bool]
) -> None:
    asyncio.run(_play(things.url, asked, (first, second), f"run {next(runs)}"))


@pytest.mark.nightly
@settings(patient, max_examples=1500)
@given(asked=st.lists(asks, min_size=1, max_size=40), first=cuts, second=cuts)
def test_calls_at_once_while_connections_die_at_length(
    things: TestDatabase, asked: list[Ask], first: dict[int, bool], second: dict[int, bool]
) -> None:
    asyncio.run(_play(things.url, asked, (first, second), f"run {next(runs)}"))
