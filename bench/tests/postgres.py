"""Watching booking's connections from within Postgres, and holding their commits up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.embedded import EmbeddedPostgres
from chassis.provisioning import administrate

from .alone import PATIENCE, SERVICE


@dataclass(frozen=True)
class Activity:
    """What booking's connections do."""

    connection: AsyncConnection

    async def until(self, condition: str, *values: Any) -> None:
        """Wait until the condition, over pg_stat_activity, holds for one of them."""
        statement = (
            "SELECT EXISTS (SELECT FROM pg_stat_activity"  # noqa: S608 - of a test
            f" WHERE application_name = '{SERVICE}' AND {condition})"
        )
        async with asyncio.timeout(PATIENCE):
            while not (await self.connection.exec_driver_sql(statement, values)).scalar_one():
                await asyncio.sleep(0.005)

    async def now(self) -> datetime:
        """The server's time."""
        found = await self.connection.exec_driver_sql("SELECT clock_timestamp()")
        return cast(datetime, found.scalar_one())


@asynccontextmanager
async def held_commits(server: EmbeddedPostgres) -> AsyncGenerator[Activity]:
    """Commits are written but don't return, as if their last word to the client got lost.

    They wait for a standby that doesn't exist, and go on at the end.
    """
    async with administrate(server.superuser_url()) as connection:
        await _await_standby(connection, "nobody")
        try:
            yield Activity(connection)
        finally:
            await _await_standby(connection, "")


async def _await_standby(connection: AsyncConnection, name: str) -> None:
    await connection.exec_driver_sql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    await connection.exec_driver_sql("SELECT pg_reload_conf()")
