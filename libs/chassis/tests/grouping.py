"""A table to group commits into, writes to it, and a connection that can be cut."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, text

from chassis.db import Database, Driver
from chassis.events import EventKind
from chassis.group_transaction import Write
from chassis.idempotency import Answer, Claim
from chassis.ids import new_id
from chassis.testing.databases import TestDatabase

TENANT = UUID(int=7)
MADE = EventKind(source="/chassis", type="in.ubertruck.chassis.thing-made.v1")
THINGS = Table(
    "things",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
)
TOO_BIG = 2**80


async def create_things(database: TestDatabase) -> None:
    """The table, as a migration would make it."""
    owner = Database.connect(database.migrator_url, name="test", pool_size=1)
    async with owner.begin() as session:
        for statement in (
            "CREATE TABLE things (id uuid PRIMARY KEY,"
            " name text NOT NULL CONSTRAINT good CHECK (name <> 'bad'), size bigint NOT NULL)",
            "CREATE UNIQUE INDEX single ON things (name) WHERE name LIKE 'single%'",
            "GRANT SELECT, INSERT ON things TO chassis_runtime",
        ):
            await session.execute(text(statement))
    await owner.dispose()


def write(
    name: str = "good", *, size: int = 1, key: str | None = None, alone: tuple[str, ...] = ()
) -> Write:
    """A thing to be made; with a key, another name or size is another request."""
    row_id = new_id()
    asked = f"{name} {size}".encode()
    claim = None if key is None else Claim(TENANT, "someone", "POST /things", key, asked.ljust(32))
    return Write(
        id=row_id,
        row=(row_id, name, size),
        event=MADE.row(
            subject=row_id,
            tenant_id=TENANT,
            aggregate_version=1,
            data=f'{{"name": "{name}"}}',
            occurred_at=datetime.now(UTC),
        ),
        answer=Answer(str(row_id).encode(), headers={"etag": '"1"'}),
        claim=claim,
        alone=alone,
    )


class CutDatabase(Database):
    """Cuts its connection at each of `cuts`: the number of an operation, counted from 0.

    An operation is a statement, a BEGIN or a COMMIT. A cut comes before it, or after it: then the
    server has done it, and nobody is told. A `confused` driver doesn't see that it was cut.
    """

    cuts: Mapping[int, bool]
    done = 0
    confused = False

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[Driver]:
        async with super().driver() as driver:
            yield CutDriver(driver, self)


class CutDriver:
    def __init__(self, driver: Driver, database: CutDatabase) -> None:
        self._driver = driver
        self._database = database

    def is_closed(self) -> bool:
        return self._driver.is_closed()

    def terminate(self) -> None:
        self._driver.terminate()

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[None]:
        transaction: Any = self._driver.transaction()
        self._before()
        await transaction.start()
        try:
            self._after()
            yield
            self._before()
        except BaseException:
            if not self.is_closed():
                await transaction.rollback()
            raise
        await transaction.commit()
        self._after()

    async def execute(self, query: str, *values: object) -> str:
        self._before()
        status = await self._driver.execute(query, *values)
        self._after()
        return status

    async def fetch(self, query: str, *values: object) -> Sequence[Mapping[Any, Any]]:
        self._before()
        found = await self._driver.fetch(query, *values)
        self._after()
        return found

    def _before(self) -> None:
        if self._database.cuts.get(self._database.done) is False:
            self._cut()

    def _after(self) -> None:
        cut = self._database.cuts.get(self._database.done)
        self._database.done += 1
        if cut:
            self._cut()

    def _cut(self) -> None:
        self._database.done += 1
        if self._database.confused:
            raise asyncpg.InternalClientError("got result for unknown protocol state 3")
        self.terminate()
        raise asyncpg.ConnectionDoesNotExistError("cut")
